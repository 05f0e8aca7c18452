"""What does a page of the review queue cost when a million drafts wait, and what when ten thousand do?

The real processes with the settings of `gatepost up`; the drafts are written straight into the tables, in bulk, before the
clock starts. Then one kept connection asks for pages of 50, one after another, through the API, and the same statement is
asked bare. Nothing is asserted: the ratios are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import platform
import signal
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from gatepost_api import pending
from gatepost_store import Queries
from support.installation import Installation

ROWS = Path(__file__).with_name("review_queue.sql").read_text("utf-8").partition("-- rows --")[2]
CHUNK = 50_000
PAGE = "/v1/oversight/pending?limit=50&include="


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held", type=int, nargs="+", default=[10_000, 1_000_000], help="drafts that wait, growing")
    parser.add_argument("--mailboxes", type=int, default=200)
    parser.add_argument("--calls", type=int, default=1000, help="calls of each kind")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-", ignore_cleanup_errors=True) as folder:
        gatepost = Installation(
            Path(folder) / "data", environment={"GATEPOST_API_RATE_PER_MINUTE": "0"}
        ).start()  # fmt: skip
        try:
            figures = asyncio.run(grow(gatepost, options))
        finally:
            assert gatepost.process is not None  # rows without records: no look at the log when it ends
            gatepost.process.send_signal(signal.SIGTERM)
            gatepost.process.wait(60)
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    return 0


async def grow(gatepost: Installation, options: argparse.Namespace) -> dict[int, dict[str, list[float]]]:
    """The figures at each size, in milliseconds."""
    owner = await asyncpg.connect(gatepost.info["database_url"], command_timeout=1800)
    tenant = await owner.fetchval("SELECT tenant_id FROM mailbox WHERE id = $1", gatepost.mailbox["id"])
    boxes = await mailboxes(owner, tenant, options.mailboxes)
    figures, there = {}, 0
    try:
        for held in sorted(options.held):
            begin = time.monotonic()
            await fill(owner, tenant, boxes, there, held)
            print(
                f"{held} drafts wait; the last {held - there} were written in {time.monotonic() - begin:.0f} s",
                flush=True,
            )
            there = held
            figures[held] = await measure(gatepost, owner, tenant, boxes[len(boxes) // 2], held, options.calls)
    finally:
        await owner.close()
    return figures


async def mailboxes(owner: asyncpg.Connection, tenant: str, count: int) -> list[str]:
    """So many gated mailboxes that no process drafts for."""
    ids = [f"mbx_01{n:024d}" for n in range(1, count + 1)]
    await owner.executemany(
        "INSERT INTO mailbox (id, tenant_id, address) VALUES ($1, $2, $3)",
        [(box, tenant, f"desk{n}@example.com") for n, box in enumerate(ids)],
    )
    return ids


async def fill(owner: asyncpg.Connection, tenant: str, boxes: list[str], there: int, held: int) -> None:
    """Drafts up to this number; in chunks, without triggers and without waiting for the disk at each."""
    key = await owner.fetchrow(
        "SELECT id, principal_id FROM api_key WHERE tenant_id = $1 AND 'send' = ANY (scopes)", tenant
    )
    await owner.execute("SET session_replication_role = replica; SET synchronous_commit = off")
    for start in range(there, held, CHUNK):
        await owner.execute(ROWS, start, min(held, start + CHUNK), tenant, boxes, key["principal_id"], key["id"])
    await owner.execute("RESET session_replication_role; RESET synchronous_commit")
    for table in ("message", "revision", "thread"):
        await owner.execute(f"VACUUM ANALYZE {table}")
    await owner.execute("CHECKPOINT")


async def measure(
    gatepost: Installation, owner: asyncpg.Connection, tenant: str, box: str, held: int, calls: int
) -> dict[str, list[float]]:  # fmt: skip
    """Calls of each kind in turns, so that what drifts meets all of them."""
    reviewer = Caller(gatepost, "reviewer")
    middle = reviewer.get(f"{PAGE}&offset={held // 2 if held <= pending.OFFSET_MOST else pending.OFFSET_MOST}")[
        "cursor"
    ]
    statement = await owner.prepare(Queries.of("gatepost_api")["pending_ids"])
    to_decide = [mail["id"] for mail in reviewer.get(f"{PAGE}&mailbox={box}")["pending"]]
    kinds: dict[str, Callable[[int], Any]] = {
        "page of the account": lambda _: reviewer.get(PAGE),
        "page of one mailbox": lambda _: reviewer.get(f"{PAGE}&mailbox={box}"),
        "a page further down": lambda _: reviewer.get(f"{PAGE}&cursor={middle}"),
        "an agent's page": lambda _: agent.get(PAGE),
    }
    agent = Caller(gatepost, "agent")
    times: dict[str, list[float]] = {}
    for n in range(calls + 100):
        for name, call in kinds.items():
            begin = time.perf_counter()
            call(n)
            if n >= 100:
                times.setdefault(name, []).append((time.perf_counter() - begin) * 1000)
        begin = time.perf_counter()
        await statement.fetch(tenant, None, None, None, True, 50, 0)
        times.setdefault("the bare statement", []).append((time.perf_counter() - begin) * 1000)
    for message_id in to_decide:
        begin = time.perf_counter()
        reviewer.post(
            "/v1/oversight/decide", {"message_id": message_id, "action": "reject", "final": True, "revision": 1}
        )
        times.setdefault("reject one", []).append((time.perf_counter() - begin) * 1000)
    return times


class Caller:
    """One kept connection with one key."""

    def __init__(self, gatepost: Installation, key: str) -> None:
        where = urllib.parse.urlsplit(gatepost.http_url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {gatepost.keys[key]}"}

    def get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path, None, self._headers)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ask("POST", path, json.dumps(body), {**self._headers, "Content-Type": "application/json"})

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> dict[str, Any]:
        self._connection.request(method, path, body, headers)
        reply = self._connection.getresponse()
        raw = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{reply.status} {raw[:300]!r}")
        return dict(json.loads(raw))


def part(times: list[float], share: float) -> float:
    """The time within which this share of the calls was answered."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def show(figures: dict[int, dict[str, list[float]]]) -> None:
    print(f"\n{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}; "
          "pages of 50 with an empty include, ms")  # fmt: skip
    sizes = sorted(figures)
    print(f"{'':24}" + "".join(f"{f'{size:,} held':>24}" for size in sizes) + f"{'ratio':>16}")
    print(f"{'':24}" + "".join(f"{'p50':>14}{'p99':>10}" for _ in sizes) + f"{'p50':>8}{'p99':>8}")
    for name in figures[sizes[0]]:
        first, last = figures[sizes[0]][name], figures[sizes[-1]][name]
        print(f"{name:24}" + "".join(f"{part(figures[s][name], 0.5):14.2f}{part(figures[s][name], 0.99):10.2f}" for s in sizes)
              + f"{part(last, 0.5) / part(first, 0.5):8.2f}{part(last, 0.99) / part(first, 0.99):8.2f}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
