"""How fast is mail taken, durably, beside those who take mail for a living?

Ours is the whole of `gatepost up`: a 250 after the commit, parked at the gate (mode gated_all), events and webhooks
running beside it. Bare aiosmtpd keeps nothing. Postfix (where installed) syncs and parks in its hold queue. Bare inserts
are the same bytes into one table; append is one file with a sync each. Load, servers and database share the cores.

Ours and each other alternate within a round, medians are shown. A round with an error shows it beside the rate.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from bench.postfix import Postfix
from bench.processes import cpu_ms
from bench.smtp_load import Offered, offer, on_the_wire
from support.installation import Installation

SIZES = {"4 KB": 4_096, "50 KB": 50_000, "1 MB": 1_000_000}
CONNECTIONS = (1, 10, 50)
GOALS = {("4 KB", 10): (1, 2, 3), ("4 KB", 50): (1, 4, 8), ("50 KB", 10): (1, 2, 3), ("1 MB", 10): (0.5, 1.0, 1.2)}
"""Ratios to Postfix: must, goal, moonshot."""
NUMBERS = itertools.count()

BARE = """
import asyncio, sys
from aiosmtpd.smtp import SMTP
import logging; logging.getLogger("mail.log").setLevel(logging.CRITICAL)
class Keep:
    async def handle_DATA(self, server, session, envelope):
        return "250 ok"
async def main():
    loop = asyncio.get_running_loop()
    make = lambda: SMTP(Keep(), hostname="bare", data_size_limit=50_000_000, loop=loop)
    server = await loop.create_server(make, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@dataclass
class Cell:
    """One size and number of connections: what each server did, round by round."""

    size: str
    connections: int
    rates: dict[str, list[float]] = field(default_factory=dict)
    p50: dict[str, list[float]] = field(default_factory=dict)
    p99: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    cpu: list[dict[str, float]] = field(default_factory=list)

    def note(self, name: str, offered: Offered) -> None:
        self.rates.setdefault(name, []).append(offered.rate)
        self.p50.setdefault(name, []).append(offered.wait_ms(0.5))
        self.p99.setdefault(name, []).append(offered.wait_ms(0.99))
        self.errors[name] = self.errors.get(name, 0) + sum(offered.errors.values())

    def rate(self, name: str) -> float | None:
        return statistics.median(self.rates[name]) if name in self.rates else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="about how long one cell of one server lasts")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--connections", default=",".join(map(str, CONNECTIONS)))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    cells = [Cell(s, int(c)) for s in options.sizes.split(",") for c in options.connections.split(",")]
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="gatepost-accept-", ignore_cleanup_errors=True))
        )
        gatepost = Installation(folder / "data", "--mode", "gated_all").start()
        stack.callback(gatepost.stop)
        bare = stack.enter_context(Bare())
        peers = {"gatepost": gatepost.smtp, "aiosmtpd": ("127.0.0.1", bare)}
        postfix = Postfix(folder / "postfix")
        if (missing := postfix.start()) is None:
            peers["postfix"] = ("127.0.0.1", postfix.port)
            stack.callback(postfix.stop)
        else:
            print(f"postfix skipped: {missing}")
        recipient = gatepost.mailbox["address"]
        for _ in range(options.rounds):
            for cell in cells:
                for name, address in peers.items():
                    run(cell, name, address, recipient, gatepost, options.seconds, rng)
        limits = {
            s: asyncio.run(bare_limits(gatepost.info["database_url"], SIZES[s], folder, rng))
            for s in options.sizes.split(",")
        }
        stored = count(gatepost)
    show(cells, limits, stored, "postfix" in peers, options.seed)
    if options.json:
        options.json.write_text(
            json.dumps({"cells": [vars(c) for c in cells], "limits": limits}, indent=2, default=str)
        )
    return 0


def run(cell: Cell, name: str, address: tuple[str, int], recipient: str, gatepost: Installation, seconds: float,
        rng: random.Random) -> None:  # fmt: skip
    """One server, one cell: a small round first, to know how many mails fill the time."""
    size = SIZES[cell.size]
    known = cell.rate(name)
    if known is None:
        trial = asyncio.run(
            offer(*address, recipient, mails(max(20, cell.connections), size, recipient, rng), cell.connections)
        )
        known = trial.rate
    number = max(20, min(int(known * seconds), 400_000_000 // size))
    made = list(mails(number, size, recipient, rng))
    pids = {k: v for k, v in gatepost.pids.items() if k in {"ingest", "postgres", "nats", "notifier"}}
    before = {k: cpu_ms(pid) for k, pid in pids.items()}
    offered = asyncio.run(offer(*address, recipient, made, cell.connections))
    cell.note(name, offered)
    print(f"  {cell.size}, {cell.connections} connections, {name}: {offered.rate:.0f}/s", file=sys.stderr, flush=True)
    if name == "gatepost" and offered.mails:
        cell.cpu.append({k: (cpu_ms(pid) - before[k]) / offered.mails for k, pid in pids.items()})


def mails(number: int, size: int, recipient: str, rng: random.Random) -> Iterator[bytes]:
    """Mails that differ; up to 8 KB as text, larger ones as a text with a file."""
    for _ in range(number):
        n = next(NUMBERS)
        head = (f"From: Customer {n} <c{n}@customer.example>\r\nTo: {recipient}\r\nSubject: Question {rng.random()}\r\n"
                f"Message-ID: <accept-{n}-{rng.randrange(10**9)}@customer.example>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
                "MIME-Version: 1.0\r\n")  # fmt: skip
        if size <= 8_192:
            text = prose(rng, size - len(head) - 60)
            yield on_the_wire((head + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + text).encode())
            continue
        text = prose(rng, 2_000)
        file = base64.encodebytes(rng.randbytes((size - 3_000) * 56 // 77)).replace(b"\n", b"\r\n").decode()
        yield on_the_wire((
            f'{head}Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\nContent-Type: text/plain\r\n\r\n{text}'
            f'\r\n--b{n}\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
            f"Content-Disposition: attachment\r\n\r\n{file}\r\n--b{n}--\r\n"
        ).encode())  # fmt: skip


WORDS = ("order", "parcel", "shipping", "delivery", "tracking", "number", "question", "please", "thanks", "account")


def prose(rng: random.Random, size: int) -> str:
    lines, length = [], 0
    while length < size:
        lines.append(" ".join(rng.choices(WORDS, k=10)) + f" {rng.randrange(10**6)}")
        length += len(lines[-1]) + 2
    return "\r\n".join(lines) + "\r\n"


async def bare_limits(url: str, size: int, folder: Path, rng: random.Random) -> dict[str, float]:
    """The same bytes without a mail server: inserts on eight connections, and an append with a sync each."""
    pool = await asyncpg.create_pool(url, min_size=8, max_size=8)
    await pool.execute("CREATE TABLE IF NOT EXISTS bench_accept (id bigserial PRIMARY KEY, body bytea)")
    body, until = rng.randbytes(size), time.perf_counter() + 1.5

    async def insert() -> int:
        done = 0
        async with pool.acquire() as connection:
            while time.perf_counter() < until:
                await connection.execute("INSERT INTO bench_accept (body) VALUES ($1)", body)
                done += 1
        return done

    begin = time.perf_counter()
    rows = sum(await asyncio.gather(*(insert() for _ in range(8)))) / (time.perf_counter() - begin)
    await pool.execute("DROP TABLE bench_accept")
    await pool.close()
    path, done, begin = folder / "append", 0, time.perf_counter()
    with path.open("wb") as file:
        while time.perf_counter() < begin + 1.0:
            file.write(body)
            file.flush()
            os.fdatasync(file.fileno())
            done += 1
    path.unlink()
    return {"bare inserts/s, 8 connections": rows, "append and sync/s": done / (time.perf_counter() - begin)}


class Bare:
    """A process that takes mail with the stock library and keeps nothing."""

    def __enter__(self) -> int:
        self.process = subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)


def count(gatepost: Installation) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(gatepost.info["database_url"])
        try:
            return int(await connection.fetchval("SELECT count(*) FROM raw"))
        finally:
            await connection.close()

    return asyncio.run(ask())


def show(cells: list[Cell], limits: dict[str, dict[str, float]], stored: int, has_postfix: bool, seed: int) -> None:
    print(
        f"\n{os.cpu_count()} cores, seed {seed}; {stored} mails stored. Rates are mails/s, medians (lowest to highest)."
    )
    names = ("gatepost", "aiosmtpd", *(("postfix",) if has_postfix else ()))
    for cell in cells:
        said = []
        for name in names:
            rates = cell.rates[name]
            errors = f" ERRORS {cell.errors[name]}" if cell.errors[name] else ""
            said.append(f"{name} {cell.rate(name):.0f} ({min(rates):.0f}-{max(rates):.0f}; p50 {statistics.median(cell.p50[name]):.1f}"
                        f" p99 {statistics.median(cell.p99[name]):.1f} ms){errors}")  # fmt: skip
        ratios = [f"{name} {ratio(cell, name):.2f}x" for name in names[1:]]
        goal = GOALS.get((cell.size, cell.connections))
        target = f"; goals to postfix {'/'.join(f'{g}x' for g in goal)}" if goal and has_postfix else ""
        print(f"{cell.size:>5}, {cell.connections:>2} connections: " + "; ".join(said))
        print(f"       ours to {', '.join(ratios)}{target}; CPU ms a mail: "
              + ", ".join(f"{k} {statistics.median(c[k] for c in cell.cpu):.2f}" for k in cell.cpu[0]))  # fmt: skip
    for size, found in limits.items():
        print(f"{size:>5}, bare: " + ", ".join(f"{name} {value:.0f}" for name, value in found.items()))


def ratio(cell: Cell, name: str) -> float:
    """The median of the ratios of the rounds."""
    return statistics.median(a / b for a, b in zip(cell.rates["gatepost"], cell.rates[name], strict=True) if b)


if __name__ == "__main__":
    sys.exit(main())
