"""SIGKILL of every process under a flow of mail: what is lost, what is doubled?

A client sends mails as a real server does: without a reply it repeats the same bytes.
Meanwhile each service, NATS and Postgres is killed in turn; the supervisor starts them again.
At the end, when nothing is left to do, the accounting: every mail that got a 250 is stored once and answered once,
or its answer is `uncertain` (the sender died between the final dot and the recorded outcome) and waits for a person.
Exit code 1 when anything was lost or doubled.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import smtplib
import sys
import tempfile
import threading
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.installation import Installation, Refused, header

TARGETS = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api", "nats", "postgres")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1, help="how often each target is killed")
    parser.add_argument("--rate", type=float, default=8.0, help="mails a second")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--wait", type=float, default=150.0, help="seconds to wait for quiet")
    options = parser.parse_args()
    print(f"seed {options.seed}: repeat with --seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="gatepost-kills-", ignore_cleanup_errors=True) as folder:
        installation = Installation(Path(folder) / "data", "--mode", "autonomous").start()
        try:
            failed = run(installation, options)
        finally:
            installation.stop()
        if failed:
            tail_logs(Path(folder) / "data")
    return 1 if failed else 0


def run(gatepost: Installation, options: argparse.Namespace) -> bool:
    accepted: list[str] = []
    sender = threading.Thread(target=flow, args=(gatepost, options, accepted), daemon=True)
    sender.start()
    kill_all(gatepost, options, sender)
    sender.join()
    print(f"{len(accepted)} mails accepted; waiting for quiet ...")
    left = wait_for_quiet(gatepost, options.wait)
    return account(gatepost, accepted, left)


def flow(gatepost: Installation, options: argparse.Namespace, accepted: list[str]) -> None:
    """Offer mails at a steady rate; each is repeated until a 250 came."""
    rng = random.Random(options.seed)
    begin = time.monotonic()
    for n in range(options.mails):
        mail = EmailMessage()
        mail["From"] = f"Customer {n} <c{n}@customer.example>"
        mail["To"], mail["Subject"] = gatepost.mailbox["address"], f"Question {n}"
        mail["Message-ID"] = f"<kills-{options.seed}-{n}@customer.example>"
        mail.set_content(f"How long does delivery take? My number is {rng.randrange(10**9)}.\n")
        raw = mail.as_bytes()
        time.sleep(max(0.0, begin + n / options.rate - time.monotonic()))
        offer(gatepost, raw, str(mail["From"]))
        accepted.append(str(mail["Message-ID"]))


def offer(gatepost: Installation, raw: bytes, sender: str, limit_s: float = 120) -> None:
    until = time.monotonic() + limit_s
    while True:
        try:
            with smtplib.SMTP(*gatepost.smtp, timeout=10) as smtp:
                smtp.sendmail(sender, [gatepost.mailbox["address"]], raw)
                return
        except (OSError, smtplib.SMTPException) as error:
            if isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500:
                raise
            if time.monotonic() > until:
                raise
            time.sleep(0.3)


def kill_all(gatepost: Installation, options: argparse.Namespace, flow_thread: threading.Thread) -> None:
    """Each target in turn while the flow lasts, evenly spread."""
    rng = random.Random(options.seed + 1)
    order = [t for _ in range(options.rounds) for t in rng.sample(TARGETS, len(TARGETS))]
    pause = options.mails / options.rate / (len(order) + 1)
    for target in order:
        time.sleep(pause * rng.uniform(0.7, 1.3))
        pid = gatepost.pids.get(target)
        if pid is None:
            print(f"  {target}: not running, skipped")
            continue
        os.kill(pid, signal.SIGKILL)
        busy = "under the flow" if flow_thread.is_alive() else "after the flow"
        print(f"  killed {target} ({pid}) {busy}")


def wait_for_quiet(gatepost: Installation, wait_s: float) -> dict[str, Any]:
    until, quiet_since = time.monotonic() + wait_s, None
    left: dict[str, Any] = {}
    while time.monotonic() < until:
        try:
            left = gatepost.call("GET", "/v1/status", key="operator")
        except (OSError, Refused):
            left = {}
        if left.get("quiet"):
            quiet_since = quiet_since or time.monotonic()
            if time.monotonic() - quiet_since > 2:
                return left
        else:
            quiet_since = None
        time.sleep(0.3)
    print("not quiet:", json.dumps(left))
    return left


def account(gatepost: Installation, accepted: list[str], left: dict[str, Any]) -> bool:
    inbound = collections.Counter(m["rfc_message_id"] for m in everything(gatepost, "inbound"))
    answers = collections.defaultdict(list)
    for mail in everything(gatepost, "outbound"):
        answers[mail["in_reply_to"]].append(mail)
    copies = collections.Counter(header(m, "in-reply-to") for m in gatepost.left())
    lost = [m for m in accepted if inbound[m] == 0]
    stored_twice = [m for m in accepted if inbound[m] > 1]
    drafted_twice = [m for m in accepted if len(answers[m]) > 1]
    uncertain = {m for m in accepted if any(a["status"] == "uncertain" for a in answers[m])}
    unanswered = [m for m in accepted if copies[m] == 0 and m not in uncertain]
    doubled = [m for m in accepted if copies[m] > 1]
    rows = {
        "accepted": len(accepted), "stored": sum(inbound[m] > 0 for m in accepted), "lost": len(lost),
        "stored twice": len(stored_twice), "drafted twice": len(drafted_twice), "left": sum(copies[m] > 0 for m in accepted),
        "uncertain": len(uncertain), "unanswered": len(unanswered), "doubled": len(doubled), "quiet": bool(left.get("quiet")),
    }  # fmt: skip
    for name, value in rows.items():
        print(f"  {name:14} {value}")
    for mail in (lost + unanswered + doubled + drafted_twice)[:8]:
        print("   ", mail, [(a["id"], a["status"]) for a in answers[mail]], "copies", copies[mail])
    return bool(lost or stored_twice or drafted_twice or unanswered or doubled or not left.get("quiet"))


def everything(gatepost: Installation, direction: str) -> list[dict[str, Any]]:
    found, cursor = [], ""
    while True:
        path = f"/v1/mailboxes/{gatepost.mailbox['id']}/emails?direction={direction}&limit=100"
        page = gatepost.call("GET", path + (f"&cursor={cursor}" if cursor else ""))
        found += page["emails"]
        cursor = page.get("cursor") or ""
        if not cursor:
            return found


def tail_logs(data: Path) -> None:
    for log in sorted((data / "logs").glob("*.log")):
        lines = [
            line for line in log.read_text(errors="replace").splitlines() if '"error"' in line or "Traceback" in line
        ]
        for line in lines[-5:]:
            print(f"{log.name}: {line[:400]}")


if __name__ == "__main__":
    sys.exit(main())
