"""Hostile mail against ingest: nothing raises, nothing is lost, every byte is kept, no mail takes a second.

Each mail is first read by every parser on its own, with the CPU time of the thread on a clock, then handed to a real
intake on a real Postgres, and at the end the database is counted: one row with one outcome for each, and bytes whose
digest is that of what was sent. Exit code 1 when any of it does not hold. A finding is repeated with --seed and --only.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import hashlib
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import structlog

from bench.hostile_letters import letters
from gatepost_ingest.arrived import Arrived, Mailbox, Recipient
from gatepost_ingest.intake import Intake
from gatepost_ingest.paths import one_line_end
from gatepost_ingest.settings import IngestSettings
from gatepost_mail.authentication import check_signed, signed_questions
from gatepost_mail.dkim_verify import Letter
from gatepost_mail.dsn import read_report
from gatepost_mail.lookups import Answer
from gatepost_mail.parse import attachment_bytes, parse
from support.mailroom import KEY, Mailroom

LIMIT_S = 1.0


@dataclass
class Findings:
    """What went wrong, and how long reading took."""

    raised: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    times: list[tuple[float, int, str]] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.raised or self.slow or self.lost or self.changed)


def read_all(raw: bytes) -> None:
    """Every parser that ingest runs on a mail, as ingest runs them."""
    parsed = parse(raw)
    read_report(raw, parsed)
    letter = Letter.of(raw)
    check_signed(letter, {question: Answer("nxdomain") for question in signed_questions(letter)}, 0)
    if parsed.attachments:
        attachment_bytes(raw, parsed.attachments[-1].n)
    for text in (parsed.text, parsed.reply_text, parsed.subject, parsed.from_name, parsed.html or ""):
        text.encode()
        if "\x00" in text:
            raise ValueError("a NUL is left")


def read_one(name: str, raw: bytes, found: Findings, reader: Callable[[bytes], None] = read_all) -> None:
    """Time it on the thread's own clock: other programs of the machine do not count."""
    began = time.thread_time()
    try:
        reader(raw)
    except Exception:
        found.raised.append(f"{name}\n{traceback.format_exc(limit=-4)}")
    took = time.thread_time() - began
    found.times.append((took, len(raw), name))
    if took > LIMIT_S:
        found.slow.append(f"{name}: {took:.2f} s for {len(raw):,} bytes")


async def store_all(room: Mailroom, mails: list[tuple[str, bytes]], found: Findings, flight: int = 16) -> None:
    """Hand each to the intake as the door does; then count what the database holds."""
    store = await room.store("ingest")
    intake = Intake(store, KEY, IngestSettings(port=0, authenticate_s=20))
    box = room.mailbox()
    mailbox = Mailbox(box["id"], box["tenant_id"], box["address"], "gated_send", 30_000_000)
    free = asyncio.Semaphore(flight)
    expected: dict[str, str] = {}

    async def one(name: str, sent: bytes) -> None:
        raw, had_bare = one_line_end(sent)
        to = (Recipient(box["address"], mailbox),)
        arrived = Arrived(
            raw, "ada@sender.test", to, had_bare, "203.0.113.7", "out.sender.test", False, datetime.now(UTC)
        )
        async with free:
            try:
                await intake.receive(arrived)
            except Exception:
                found.raised.append(f"{name} (storing)\n{traceback.format_exc(limit=-4)}")
        expected[hashlib.sha256(raw).hexdigest()] = name

    await asyncio.gather(*(one(*mail) for mail in mails))
    await intake.close()
    rows = room.rows(
        f"SELECT m.raw_sha256, m.state, encode(sha256(r.bytes), 'hex') AS kept FROM message m LEFT JOIN raw r"
        f" ON r.mailbox_id = m.mailbox_id AND r.sha256 = m.raw_sha256 WHERE m.mailbox_id = '{box['id']}'"
    )
    known: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for row in rows:
        known[row["raw_sha256"]].append(row)
        found.outcomes[row["state"]] += 1
    for sha256, name in expected.items():
        if len(known[sha256]) != 1:
            found.lost.append(f"{name}: {len(known[sha256])} rows")
        elif known[sha256][0]["kept"] != sha256:
            found.changed.append(name)


async def run(count: int, seed: int, batch: int = 500) -> Findings:
    """The whole: reading, then storing, in batches that bound the memory."""
    found = Findings()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as folder:
        room = Mailroom(Path(folder) / "pg")
        room.start()
        try:
            await room.migrate()
            waiting: list[tuple[str, bytes]] = []
            for n, (name, raw) in enumerate(letters(seed, count), 1):
                read_one(name, raw, found)
                waiting.append((name, raw))
                if len(waiting) >= batch or n == count or sum(len(r) for _, r in waiting) > 100_000_000:
                    await store_all(room, waiting, found)
                    await room.close()
                    waiting = []
        finally:
            room.postgres.stop()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--only", type=int, help="one mail of this seed, read and timed")
    options = parser.parse_args()
    print(f"seed {options.seed}: repeat with --seed {options.seed}")
    if options.only is not None:
        found = Findings()
        name, raw = list(letters(options.seed, options.only + 1))[options.only]
        read_one(name, raw, found)
    else:
        found = asyncio.run(run(options.count, options.seed))
    times = sorted(found.times, reverse=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(times):,} mails, {sum(size for _, size, _ in times) / 1e6:,.0f} MB; outcomes: {dict(found.outcomes)}")
    print(f"reading: median {1e3 * times[len(times) // 2][0]:.1f} ms, peak memory of the whole {peak:.0f} MB; slowest:")
    for took, size, name in times[:3]:
        print(f"  {1e3 * took:.0f} ms for {size:,} bytes ({name})")
    for word in ("raised", "slow", "lost", "changed"):
        listed = getattr(found, word)
        print(f"{word}: {len(listed)}")
        for item in listed[:5]:
            print("  " + item.replace("\n", "\n  "))
    return 0 if found.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
