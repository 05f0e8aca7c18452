"""A flood of mail to one mailbox: what do the others notice?

One mail after the other goes to a quiet mailbox, with and without a flood to its neighbour, in turns. Shown: how long the
250 takes (from the final dot's mail's MAIL to its answer), and how many times longer it takes during the flood. The flood
is another process at the lowest priority, as it would be another machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from bench.accept import mails
from bench.smtp_load import Offered, offer
from support.installation import Installation


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mails", type=int, default=50, help="to the quiet mailbox, a round with and a round without")
    parser.add_argument("--connections", type=int, default=30, help="of the flood")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--flood", help=argparse.SUPPRESS)  # host:port:recipient: be the flood
    options = parser.parse_args()
    if options.flood:
        return flood(options)
    rng = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="gatepost-bomb-", ignore_cleanup_errors=True) as folder:
        gatepost = Installation(
            Path(folder) / "data", "--mode", "gated_all", "--mailbox", "quiet@demo.test=gated_all"
        ).start()
        try:
            calm, loud = Offered(), Offered()
            one_by_one(gatepost, 10, options.size, rng, Offered())  # the first mails prepare statements
            for _ in range(options.rounds):
                one_by_one(gatepost, options.mails, options.size, rng, calm)
                flooding = begin_flood(gatepost, options)
                time.sleep(2)
                one_by_one(gatepost, options.mails, options.size, rng, loud)
                flooding.terminate()
                flooding.wait(20)
                time.sleep(3)  # what was taken is worked off
        finally:
            gatepost.stop()
    show(calm, loud, options)
    return 0


def flood(options: argparse.Namespace) -> int:
    """Until it is ended."""
    os.nice(19)
    host, port, recipient = options.flood.split(":")
    made = list(mails(20_000, options.size, recipient, random.Random()))
    asyncio.run(offer(host, int(port), recipient, made, options.connections))
    return 0


def begin_flood(gatepost: Installation, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    host, port = gatepost.smtp
    target = f"{host}:{port}:{gatepost.mailbox['address']}"
    return subprocess.Popen(
        [sys.executable, "-m", "bench.mail_bomb", "--flood", target, "--size", str(options.size),
         "--connections", str(options.connections)]
    )  # fmt: skip


def one_by_one(gatepost: Installation, number: int, size: int, rng: random.Random, into: Offered) -> None:
    """One connection, a pause after each mail."""
    for mail in mails(number, size, "quiet@demo.test", rng):
        told = asyncio.run(offer(*gatepost.smtp, "quiet@demo.test", [mail], 1))
        into.mails += told.mails
        into.waits_ms += told.waits_ms
        into.errors.update(told.errors)
        time.sleep(0.05)


def show(calm: Offered, loud: Offered, options: argparse.Namespace) -> None:
    print(
        f"{os.cpu_count()} cores; {options.connections} connections flood one mailbox with mails of {options.size} bytes"
    )
    for name, told in (("calm", calm), ("flood", loud)):
        print(
            f"  {name:>5}: {told.mails} mails, p50 {told.wait_ms(0.5):.1f} ms, p99 {told.wait_ms(0.99):.1f} ms, errors {dict(told.errors)}"
        )
    print(
        f"  during the flood a 250 takes {statistics.median(loud.waits_ms) / statistics.median(calm.waits_ms):.1f} times as long"
    )


if __name__ == "__main__":
    sys.exit(main())
