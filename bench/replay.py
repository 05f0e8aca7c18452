"""Replay of many events: is anything touched, is a change of behaviour found, and how fast beside the live handler?

Real processes of `gatepost up`. The mails come in while nothing else runs; then the drafter alone handles their events
(the live rate, between the first and the last twentieth of its drafts), then everybody finishes. For the replay all
services stand still, so that whatever differs in a table or a stream is the replay's doing. The planted change is an
edited article, which a tenth of the mails ask about: the replay must find these and no others.
The replay's rate counts all of the command: its start, reading the stream, writing the answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from bench.smtp_load import offer, on_the_wire
from support.installation import GATEPOST, Installation, eventually
from support.standstill import changed, everything, standing_still

ARTICLE = Path(__file__).resolve().parents[1] / "libs/cli/src/gatepost_cli/samples/shipping.md"
OTHERS = ("drafter", "gatekeeper", "sender", "notifier")
ABOUT = 10
"""One mail of so many asks about the article that is edited."""
ANSWERS = 0.05
"""The share of drafts at either end that the live rate leaves out: starting up and running dry."""


@dataclass(frozen=True)
class Replayed:
    """What a replay said, and how long the whole command took."""

    code: int
    outcomes: list[dict[str, Any]]
    seconds: float

    @property
    def differing(self) -> list[dict[str, Any]]:
        return [outcome for outcome in self.outcomes if outcome["differs"]]


def mails(count: int, recipient: str) -> Iterator[bytes]:
    """Each from another customer, on a thread of its own."""
    for n in range(count):
        text = "How long does delivery take?" if n % ABOUT == 0 else "I forgot my password, what now?"
        yield on_the_wire(
            f"From: Customer {n} <c{n}@customer.example>\r\nTo: {recipient}\r\nSubject: Question {n}\r\n"
            f"Message-ID: <replay-{n}@customer.example>\r\n\r\n{text}\r\n".encode()
        )


def bring_in(gatepost: Installation, count: int) -> None:
    """The mails, over SMTP."""
    host, port = gatepost.smtp
    address = gatepost.mailbox["address"]
    result = asyncio.run(offer(host, port, address, mails(count, address), 8))
    assert (count, {}) == (result.mails, dict(result.errors)), result


async def _drafts(gatepost: Installation, enough: int) -> float:
    """The moment at which so many drafts are written."""
    owner = await asyncpg.connect(gatepost.info["database_url"])
    try:
        while await owner.fetchval("SELECT count(*) FROM revision") < enough:
            await asyncio.sleep(0.05)
        return time.perf_counter()
    finally:
        await owner.close()


def live_rate(gatepost: Installation, count: int) -> float:
    """Drafts a second of the drafter, which alone runs."""
    margin = int(count * ANSWERS)
    os.kill(gatepost.pids["drafter"], signal.SIGCONT)
    first = asyncio.run(_drafts(gatepost, margin))
    last = asyncio.run(_drafts(gatepost, count - margin))
    asyncio.run(_drafts(gatepost, count))
    return (count - 2 * margin) / (last - first)


def replayed(gatepost: Installation, count: int, workers: int) -> Replayed:
    """The command, as an operator gives it."""
    began = time.perf_counter()
    answer = subprocess.run(
        [str(GATEPOST), "replay", "email.received", "--to", "drafter", "--limit", str(count), "--workers", str(workers),
         "--json", "--data", str(gatepost.data)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    assert answer.returncode in {0, 1}, answer.stderr[-2000:]
    return Replayed(answer.returncode, [json.loads(line) for line in answer.stdout.splitlines()], seconds)


def teach(gatepost: Installation, article: Path) -> None:
    """Give the mailbox this article in place of the one of the same name."""
    words = ["mailbox", "knowledge", gatepost.mailbox["address"], str(article), "--data", str(gatepost.data)]
    subprocess.run([str(GATEPOST), *words], check=True, capture_output=True)


def measure(gatepost: Installation, folder: Path, count: int, workers: int) -> dict[str, Any]:
    with standing_still(gatepost, OTHERS):
        bring_in(gatepost, count)
        live = live_rate(gatepost, count)
    eventually(lambda: gatepost.call("GET", "/v1/status", key="operator")["quiet"], "quiet", within_s=3600)
    edited = folder / ARTICLE.name
    edited.write_text(ARTICLE.read_text().replace("two to three", "ninety"))
    with standing_still(gatepost):
        before = everything(gatepost)
        same = replayed(gatepost, count, workers)
        touched = changed(before, everything(gatepost))
        teach(gatepost, edited)
        other = replayed(gatepost, count, workers)
        teach(gatepost, ARTICLE)
    quoting = [o for o in same.outcomes if "two to three" in json.dumps(o["then"]["drafts"])]
    told = {o["event_id"] for o in other.differing}
    return {
        "events": count, "answered": len(same.outcomes), "touched": touched, "differ unchanged": len(same.differing),
        "differ after the change": len(told), "should differ": len(quoting),
        "exactly those": told == {o["event_id"] for o in quoting},
        "live": live, "replay": count / same.seconds, "ratio": count / same.seconds / live,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=16, help="events the replay has in work at a time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatepost-replay-", ignore_cleanup_errors=True) as folder:
        gatepost = Installation(Path(folder) / "data").start()
        try:
            found = measure(gatepost, Path(folder), options.count, options.workers)
        finally:
            gatepost.stop()
    found["touched"] = found["touched"] or "nothing"
    for name, value in found.items():
        print(f"{name:24} {value:.2f}" if isinstance(value, float) else f"{name:24} {value}")
    is_right = (
        found["touched"] == "nothing" and found["answered"] == found["events"] and found["differ unchanged"] == 0
        and found["exactly those"] and found["should differ"] == len(range(0, options.count, ABOUT))
    )  # fmt: skip
    print("right" if is_right else "WRONG")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
