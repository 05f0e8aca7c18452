"""SIGKILL of ingest at random points of a conversation: is there a mail that got a 250 and is not stored whole?

A second ingest beside the one of `gatepost up`, on its database and broker, is killed again and again while clients send
mails of 2 KB to 300 KB in pieces, some to two mailboxes. A client repeats the same bytes until a 250 came, as a real
server does. Afterwards every mail that got a 250 must be there once for each mailbox, with its bytes, its words, its
attachment and its event; a mail without a 250 may be there or not, and never half.
Exit code 1 when anything is lost, doubled or half.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import collections
import hashlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.installation import Installation

LONGEST_LIFE_S = 0.6
"""A process is killed at a random moment within this after it takes mail."""


@dataclass
class Sent:
    """What the clients did."""

    accepted: dict[str, bytes] = field(default_factory=dict)  # sha256 to the mail
    tried: set[str] = field(default_factory=set)
    broken_at: collections.Counter[str] = field(default_factory=collections.Counter)
    answers: collections.Counter[str] = field(default_factory=collections.Counter)


class Ingest:
    """An ingest of our own with the environment of the installation's."""

    def __init__(self, gatepost: Installation, log: Path) -> None:
        raw = Path(f"/proc/{gatepost.pids['ingest']}/environ").read_bytes().split(b"\0")
        self.environment = dict(entry.decode().split("=", 1) for entry in raw if b"=" in entry)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.environment |= {
            "GATEPOST_INGEST_PORT": str(self.port), "GATEPOST_HEALTH_PORT": "0", "GATEPOST_INGEST_HTTP_PORT": "0",
        }  # fmt: skip
        self.program = str(Path(sys.executable).with_name("gatepost-ingest"))
        self.log = log.open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Run it until it takes mail."""
        self.process = subprocess.Popen(
            [self.program], env=self.environment, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
            except OSError:
                await asyncio.sleep(0.02)
            else:
                return
        raise RuntimeError("ingest did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--mails", type=int, default=2000, help="go on until at least this many got a 250")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}: repeat with --seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="gatepost-kills-", ignore_cleanup_errors=True) as folder:
        gatepost = Installation(
            Path(folder) / "data", "--mode", "gated_all", "--mailbox", "two@demo.test=gated_all"
        ).start()
        try:
            table = run(gatepost, kills=options.kills, mails=options.mails, clients=options.clients, seed=options.seed)
        finally:
            gatepost.stop()
    for name, value in table.items():
        print(f"  {name:22} {value}")
    return 1 if table["lost"] or table["doubled"] or table["half"] or table["no event"] else 0


def run(gatepost: Installation, *, kills: int, mails: int, clients: int, seed: int) -> dict[str, object]:
    """The kills and the accounting."""
    sent = Sent()
    done = asyncio.run(_kill(gatepost, sent, kills, mails, clients, random.Random(seed)))
    counted = asyncio.run(account(gatepost.info["database_url"], sent))
    return {"kills": done, "accepted": len(sent.accepted), "broken at": dict(sent.broken_at),
            "other answers": dict(sent.answers)} | counted  # fmt: skip


async def _kill(gatepost: Installation, sent: Sent, kills: int, mails: int, clients: int, rng: random.Random) -> int:
    ingest = Ingest(gatepost, gatepost.data / "logs" / "killed-ingest.log")
    boxes = [box["address"] for box in gatepost.info["mailboxes"]]
    stop = asyncio.Event()
    await ingest.start()
    tasks = [
        asyncio.create_task(_client(n, ingest.port, boxes, sent, random.Random(rng.random()), stop))
        for n in range(clients)
    ]
    done = 0
    while done < kills:
        await asyncio.sleep(rng.uniform(0, LONGEST_LIFE_S))
        ingest.kill()
        done += 1
        await ingest.start()
    while len(sent.accepted) < mails:
        await asyncio.sleep(0.1)
    stop.set()
    await asyncio.gather(*tasks)
    assert ingest.process is not None
    ingest.process.terminate()
    await asyncio.to_thread(ingest.process.wait)
    return done


async def _client(n: int, port: int, boxes: list[str], sent: Sent, rng: random.Random, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        raw = _mail(f"{n}-{number}-{rng.randrange(10**9)}", rng)
        recipients = boxes if rng.random() < 0.2 else [rng.choice(boxes)]
        sha256 = hashlib.sha256(raw).hexdigest()
        for recipient in recipients:
            sent.tried.add(f"{recipient} {sha256}")
        while not await _offer(port, raw, recipients, sent, rng):
            await asyncio.sleep(0.02)
        for recipient in recipients:
            sent.accepted[f"{recipient} {sha256}"] = raw


async def _offer(port: int, raw: bytes, recipients: list[str], sent: Sent, rng: random.Random) -> bool:
    stage = "connect"
    writer: asyncio.StreamWriter | None = None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def hear(code: bytes) -> None:
            while (line := await asyncio.wait_for(reader.readline(), 60))[3:4] == b"-":
                pass
            if not line:
                raise ConnectionError
            if not line.startswith(code):
                sent.answers[line[:9].decode()] += 1
                raise ConnectionError

        stage = "greeting"
        await hear(b"220")
        commands = ["EHLO kills.example", "MAIL FROM:<k@customer.example>", *(f"RCPT TO:<{r}>" for r in recipients)]
        for stage in commands:
            writer.write(stage.encode() + b"\r\n")
            await hear(b"250")
        stage = "DATA"
        writer.write(b"DATA\r\n")
        await hear(b"354")
        stage = "content"
        for start in range(0, len(raw), 40_000):
            writer.write(raw[start : start + 40_000])
            await writer.drain()
            if rng.random() < 0.3:
                await asyncio.sleep(rng.uniform(0, 0.01))
        stage = "after the dot"
        writer.write(b".\r\n")
        await hear(b"250")
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        if stage == "connect":
            return False
        sent.broken_at[stage.split(" ")[0] if stage[:4] in {"EHLO", "MAIL", "RCPT"} else stage] += 1
        return False
    finally:
        if writer is not None:
            writer.close()
    return True


def _mail(name: str, rng: random.Random) -> bytes:
    file = base64.encodebytes(rng.randbytes(rng.choice((200, 2_000, 20_000, 200_000)))).replace(b"\n", b"\r\n")
    return (
        f"From: k@customer.example\r\nTo: x@demo.test\r\nSubject: {name}\r\nMessage-ID: <{name}@kills.example>\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
        f'{name}\r\n--b\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    ).encode() + file + b"--b--\r\n"  # fmt: skip


ACCOUNT = """
SELECT b.address, r.sha256, encode(sha256(r.bytes), 'hex') AS really, count(m.id) AS mails, min(m.subject) AS subject,
       min(m.text) AS text, count(a.n) AS files, count(u.subject_id) AS records
  FROM raw r JOIN mailbox b ON b.id = r.mailbox_id
  LEFT JOIN message m ON m.mailbox_id = r.mailbox_id AND m.raw_sha256 = r.sha256
  LEFT JOIN attachment a ON a.message_id = m.id
  LEFT JOIN audit_record u ON u.subject_id = m.id AND u.seq = 1
 GROUP BY 1, 2, 3"""
WITHOUT_RAW = """
SELECT count(*) FROM message m WHERE direction = 'inbound'
   AND NOT EXISTS (SELECT 1 FROM raw r WHERE r.mailbox_id = m.mailbox_id AND r.sha256 = m.raw_sha256)"""


async def account(url: str, sent: Sent) -> dict[str, object]:
    """What is stored against what was accepted."""
    connection = await asyncpg.connect(url)
    try:
        rows = {f"{row['address']} {row['sha256']}": row for row in await connection.fetch(ACCOUNT)}
        without = await connection.fetchval(WITHOUT_RAW)
        until = time.monotonic() + 30
        while waiting := await connection.fetchval("SELECT count(*) FROM outbox WHERE service = 'ingest'"):
            if time.monotonic() > until:
                break
            await asyncio.sleep(0.2)
    finally:
        await connection.close()
    mails = rows.values()
    half = sum(m["sha256"] != m["really"] or m["text"] != m["subject"] or m["files"] != m["mails"] for m in mails)
    return {
        "stored": len(rows),
        "stored without a 250": len(rows.keys() - sent.accepted.keys()),
        "lost": len(sent.accepted.keys() - rows.keys()),
        "doubled": sum(m["mails"] > 1 for m in mails),
        "half": half + without + len(rows.keys() - sent.tried),
        "no event": sum(m["records"] != m["mails"] for m in mails) + waiting,
    }


if __name__ == "__main__":
    sys.exit(main())
