"""What one mail costs the sender: its real parts over a real database and kept connections, beside bare RSA signatures.

The sender runs alone in this process, so that the process's CPU is the sender's; database and sink are others. It runs as
it ships: the same event loop, the same settings, each outcome logged (to nowhere). Only the publish to the broker is left
out: events are made and kept in memory. Bare signatures are measured before and after, since a busy machine's clock drifts.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import uvloop
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from bench.sink import SinkProcess
from gatepost_embedded.postgres import Postgres
from gatepost_runtime.keys import make_keys
from gatepost_runtime.logging import configure
from gatepost_runtime.main import spare_collector
from gatepost_store.migrate import migrate
from support.lone_sender import Lone, lone_sender
from support.mortal_sender import live_with
from support.released import World

ROLES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")
_WARM = 100
_NOW_DUE = "UPDATE delivery SET due_at = now() WHERE id IN (SELECT id FROM delivery WHERE state = 'released' ORDER BY id LIMIT {});"
LINE = "How long does delivery take and where is my order, please? My number is 12345.\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=150, help="in one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=4096, help="bytes of one mail, about")
    parser.add_argument("--profile", action="store_true", help="say where the time goes; the figures grow by it")
    options = parser.parse_args()
    show(run(options.mails, options.rounds, options.size, is_profiled=options.profile))
    return 0


def show(rounds: list[tuple[float, float]]) -> None:
    """The median of the rounds, and how far they lie apart."""
    ratios = sorted(whole / bare for bare, whole in rounds)
    bare, whole = (statistics.median(values) for values in zip(*rounds, strict=True))
    print(
        f"the sender, mails of 4096 bytes over kept connections: {whole:.0f} us of CPU each, {statistics.median(ratios):.2f} times"
        f" one bare RSA-2048 signature ({bare:.0f} us); rounds from {ratios[0]:.2f} to {ratios[-1]:.2f}; must 4, goal 3.5"
    )


def run(mails: int, rounds: int, size: int = 4096, *, is_profiled: bool = False) -> list[tuple[float, float]]:
    """For each round (CPU us of one bare RSA-2048 signature, CPU us of the sender for each mail)."""
    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        open(os.devnull, "w", encoding="utf-8") as nowhere,
    ):
        configure("sender", "info", stream=nowhere)
        return runner.run(_measure(mails, rounds, size, is_profiled=is_profiled))


async def _measure(mails: int, rounds: int, size: int, *, is_profiled: bool) -> list[tuple[float, float]]:
    with tempfile.TemporaryDirectory(prefix="gatepost-sender-cpu-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        postgres = Postgres(folder / "pg", sync_new_files=False)
        postgres.start()
        try:
            await migrate(postgres.url(), passwords={f"gp_{role}": "secret" for role in ROLES})
            make_keys(folder / "keys")
            world = World(postgres, folder / "keys", postgres.url("gp_sender", "secret"))
            with SinkProcess() as port:
                live_with({
                    "GATEPOST_ENV": "dev", "GATEPOST_DATABASE_URL": world.url, "GATEPOST_NATS_URL": "nats://127.0.0.1:1",
                    "GATEPOST_KEYS_DIR": str(folder / "keys" / "sender"), "GATEPOST_PUBLIC_URL": "https://gatepost.test",
                    "GATEPOST_SENDER_RELAY_HOST": "127.0.0.1", "GATEPOST_SENDER_RELAY_PORT": str(port),
                })  # fmt: skip
                return await _through(world, mails, rounds, size, is_profiled=is_profiled)
        finally:
            postgres.stop()


async def _through(world: World, mails: int, rounds: int, size: int, *, is_profiled: bool) -> list[tuple[float, float]]:
    text = LINE * max(1, (size - 1900) // (2 * len(LINE)))
    letter = {"text": text, "html": "<p>" + text.replace("\n", "<br>\n") + "</p>"}
    box = world.sql(f"SELECT mailbox_id FROM message WHERE id = '{world.released(letter=letter)}';")[0][0]
    profile, found = cProfile.Profile(time.thread_time), []
    async with lone_sender() as sender:
        await _delivered(sender, 1)  # warm: keys made, connections open, statements prepared
        await asyncio.to_thread(world.release_many, _WARM, letter=letter, into=box)
        await _delivered(sender, 1 + _WARM)
        await asyncio.to_thread(world.release_many, mails * rounds, letter=letter, into=box, due_in_s=36_000)
        spare_collector()
        before = _bare()
        for n in range(1, rounds + 1):
            await asyncio.to_thread(world.sql, _NOW_DUE.format(mails))
            if is_profiled:
                profile.enable()
            begin = time.process_time()
            await _delivered(sender, 1 + _WARM + mails * n)
            whole = (time.process_time() - begin) / mails * 1e6
            profile.disable()
            after = _bare()
            found.append(((before + after) / 2, whole))
            before = after
    if is_profiled:
        pstats.Stats(profile).sort_stats("tottime").print_stats(60)
    return found


async def _delivered(sender: Lone, count: int) -> None:
    while len(sender.events) < count:
        await asyncio.sleep(0.05)
    assert set(sender.types()) == {"email.delivered"}


def _bare(count: int = 600) -> float:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    begin = time.process_time()
    for _ in range(count):
        key.sign(b"x" * 32, PKCS1v15(), SHA256())
    return (time.process_time() - begin) / count * 1e6


if __name__ == "__main__":
    sys.exit(main())
