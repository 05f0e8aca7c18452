"""How many emails a second go all the way, what does each cost, and how long does one take?

The real processes with the settings of `gatepost up`, autonomous mode, the scripted drafter; real mails in over SMTP,
signed mails out to a sink. Load and sink share the machine's cores. Absolute figures belong to this machine and this
run; compare the ratios. A run that lost or doubled a mail prints no rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import smtplib
import statistics
import sys
import tempfile
import threading
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from bench import limits
from bench.processes import cpu_ms, pss_mb
from bench.sink import Sink
from support.installation import Installation

WORDS = (
    *(
        "order",
        "parcel",
        "shipping",
        "delivery",
        "tracking",
        "number",
        "question",
        "please",
        "thanks",
        "account",
        "week",
    ),
    *("address", "morning", "customer", "invoice", "carrier", "box", "colour", "size", "green", "second"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=1000, help="mails of the closed-loop round")
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--rate", type=float, default=20.0, help="mails a second of the open-loop round")
    parser.add_argument("--size", type=int, default=4096, help="bytes of one mail, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    sink = Sink()
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-", ignore_cleanup_errors=True) as folder:
        gatepost = Installation(
            Path(folder) / "data", "--mode", "autonomous", "--relay", f"127.0.0.1:{sink.port}"
        ).start()
        try:
            figures = measure(gatepost, sink, options)
        finally:
            gatepost.stop()
    show(figures, options)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    return 0 if figures["lost"] == figures["doubled"] == 0 else 1


def measure(gatepost: Installation, sink: Sink, options: argparse.Namespace) -> dict[str, Any]:
    rng = random.Random(options.seed)
    figures: dict[str, Any] = {"limits": {}}
    warm = closed_loop(gatepost, sink, make(gatepost, rng, "warm", 200, options.size), options.connections)
    pids = {name: pid for name, pid in gatepost.pids.items() if name != "supervisor"}
    before = {name: cpu_ms(pid) for name, pid in pids.items()}
    closed = closed_loop(
        gatepost, sink, make(gatepost, rng, "closed", options.mails, options.size), options.connections
    )
    figures["cpu_ms"] = {name: (cpu_ms(pid) - before[name]) / options.mails for name, pid in pids.items()}
    figures["memory_mb"] = {name: pss_mb(pid) for name, pid in pids.items()}
    figures["emails_s"], figures["accepted_s"] = closed["rate"], closed["accept_rate"]
    opened = open_loop(gatepost, sink, make(gatepost, rng, "open", int(options.rate * 10), options.size), options.rate)
    figures["latency_ms"] = opened["latency_ms"]
    rounds = (warm, closed, opened)
    figures["lost"], figures["doubled"] = sum(r["lost"] for r in rounds), sum(r["doubled"] for r in rounds)
    figures["limits"] |= asyncio.run(limits.jetstream(gatepost.info["nats_url"]))
    figures["limits"] |= asyncio.run(limits.postgres(gatepost.info["database_url"]))
    figures["limits"] |= limits.signatures()
    return figures


def make(gatepost: Installation, rng: random.Random, name: str, count: int, size: int) -> dict[str, bytes]:
    """Mails that differ: senders, subjects, bodies. Message-ID to bytes."""
    mails = {}
    for n in range(count):
        mail = EmailMessage()
        mail["From"] = f"Customer {n} <c{n}.{rng.randrange(10**6)}@customer.example>"
        mail["To"], mail["Subject"] = gatepost.mailbox["address"], " ".join(rng.choices(WORDS, k=5))
        mail["Message-ID"] = f"<{name}-{n}-{rng.randrange(10**9)}@customer.example>"
        body = "How long does delivery take and where is my order?\n"
        while len(body) < size - 400:
            body += " ".join(rng.choices(WORDS, k=11)) + "\n"
        mail.set_content(body)
        mails[str(mail["Message-ID"])] = mail.as_bytes()
    return mails


def offer(gatepost: Installation, mails: list[tuple[str, bytes]], accepted: dict[str, float]) -> None:
    """One kept connection, ten mails each."""
    for start in range(0, len(mails), 10):
        with smtplib.SMTP(*gatepost.smtp, timeout=60) as smtp:
            for message_id, raw in mails[start : start + 10]:
                smtp.sendmail("c@customer.example", [gatepost.mailbox["address"]], raw)
                accepted[message_id] = time.monotonic()


def closed_loop(gatepost: Installation, sink: Sink, mails: dict[str, bytes], connections: int) -> dict[str, Any]:
    """As fast as the connections carry them; the rate counts until the last one left."""
    items, accepted = list(mails.items()), dict[str, float]()
    begin = time.monotonic()
    threads = [
        threading.Thread(target=offer, args=(gatepost, items[n::connections], accepted)) for n in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    accept_s = time.monotonic() - begin
    return settle(sink, mails, begin) | {"accept_rate": len(mails) / accept_s}


def open_loop(gatepost: Installation, sink: Sink, mails: dict[str, bytes], rate: float) -> dict[str, Any]:
    """On a fixed schedule; latency counts from the scheduled moment to wholly there at the sink."""
    begin, due = time.monotonic() + 0.2, dict[str, float]()
    accepted: dict[str, float] = {}
    threads = []
    for n, item in enumerate(mails.items()):
        due[item[0]] = begin + n / rate
        time.sleep(max(0.0, due[item[0]] - time.monotonic()))
        thread = threading.Thread(target=offer, args=(gatepost, [item], accepted))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    result = settle(sink, mails, begin)
    waits = sorted((sink.arrived[m][0] - due[m]) * 1000 for m in mails if m in sink.arrived)
    accepts = sorted((accepted[m] - due[m]) * 1000 for m in mails)
    result["latency_ms"] = {
        "accept p50": statistics.median(accepts), "accept p99": accepts[int(len(accepts) * 0.99)],
        "to delivered p50": statistics.median(waits), "to delivered p99": waits[int(len(waits) * 0.99)],
    }  # fmt: skip
    return result


def settle(sink: Sink, mails: dict[str, bytes], begin: float, limit_s: float = 180) -> dict[str, Any]:
    until = time.monotonic() + limit_s
    while time.monotonic() < until and sum(m in sink.arrived for m in mails) < len(mails):
        time.sleep(0.02)
    time.sleep(0.5)
    there = [m for m in mails if m in sink.arrived]
    last = max((sink.arrived[m][0] for m in there), default=begin)
    return {
        "rate": len(there) / (last - begin) if there else 0.0,
        "lost": len(mails) - len(there),
        "doubled": sum(len(sink.arrived[m]) > 1 for m in there),
    }


def show(figures: dict[str, Any], options: argparse.Namespace) -> None:
    print(
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}; seed {options.seed}"
    )
    if figures["lost"] or figures["doubled"]:
        print(f"NO RATE: {figures['lost']} lost, {figures['doubled']} doubled")
        return
    print(f"whole path, {options.mails} mails of {options.size} bytes, {options.connections} connections: "
          f"{figures['emails_s']:.0f} emails/s (accepted meanwhile {figures['accepted_s']:.0f}/s)")  # fmt: skip
    print(
        f"open loop at {options.rate:.0f}/s, ms: " + ", ".join(f"{k} {v:.1f}" for k, v in figures["latency_ms"].items())
    )
    print("CPU ms per email: " + ", ".join(f"{k} {v:.2f}" for k, v in figures["cpu_ms"].items())
          + f"; sum {sum(figures['cpu_ms'].values()):.2f}")  # fmt: skip
    print("memory MB: " + ", ".join(f"{k} {v:.0f}" for k, v in figures["memory_mb"].items()))
    print("bare limits of this run, and emails/s as a share of each:")
    for name, value in figures["limits"].items():
        print(f"  {name:36} {value:9.0f}   {figures['emails_s'] / value:7.2%}")


if __name__ == "__main__":
    sys.exit(main())
