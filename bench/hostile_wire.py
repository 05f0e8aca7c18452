"""Conversations that no mail server would hold, with the receiver of ingest: does it fail, hang, or take what was not said?

Each conversation is made of pieces: commands in and out of order, garbage, mails with odd line ends and dots, chunks with
wrong sizes, broken TLS handshakes, bytes that drip, peers that hang up anywhere. Afterwards: no failure of ours was
answered (451) or logged, every line that came back is a reply, each mail that got a 250 is the one that was sent, and no
connection is left. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
from collections import Counter
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from integration.ingest.door import Door, make_certificate

REPLY = re.compile(rb"[2345]\d\d(?:[ -][\x20-\x7e]*)?")
COMMANDS = (
    b"EHLO x", b"EHLO [127.0.0.1]", b"HELO", b"HELO x y", b"MAIL FROM:<a@c.example>", b"MAIL FROM:<>", b"MAIL FROM:",
    b"MAIL FROM:<a@c.example> SIZE=99999999", b"MAIL FROM:<a@c.example> BODY=8BITMIME SMTPUTF8", b"MAIL FROM:<\xc3\xa4@c.example> SMTPUTF8",
    b"RCPT TO:<support@demo.test>", b"RCPT TO:<support+x@demo.test>", b"RCPT TO:<nobody@demo.test>", b"RCPT TO:<@a,@b:support@demo.test>",
    b"RCPT TO:<sup\x00port@demo.test>", b'RCPT TO:<"a b"@demo.test>', b"RCPT TO:<" + b"a" * 3000 + b"@demo.test>", b"RSET", b"NOOP x",
    b"VRFY root", b"EXPN all", b"HELP", b"AUTH PLAIN AHgAeA==", b"AUTH LOGIN", b"*", b"RSET\r\nDATA", b"DATA x",
    b"RSET\r\nBDAT 3\r\nabc", b"RSET\r\nBDAT 0 LAST",
    b"BDAT 99999999999999", b"BDAT -1 LAST", b"GET / HTTP/1.1", b"", b" ", b"\x00", b"\xff\xfe", b"x" * 5000, b"STARTTLS", b"QUIT x",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2", b"XCLIENT ADDR=1.2.3.4",
)  # fmt: skip
ODD = (
    b"\r\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r\n..\r\n",
    b"\n\n.\n\n",
    b"\x00",
    b"\r\r\n.\r\r\n",
    b"a" * 2000,
    b"\xff" * 20,
    b".",
    b"\r\n",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}: repeat with --seed {options.seed}")
    table = asyncio.run(run(options.conversations, options.seed, Path.cwd() / ".hostile"))
    for name, value in table.items():
        print(f"  {name:18} {value}")
    return 1 if any(table[name] for name in ("failures", "not a reply", "wrong mails", "left open")) else 0


async def run(conversations: int, seed: int, folder: Path) -> dict[str, object]:
    """All conversations, twenty at a time; what came of them."""
    failures = list[str]()

    def note(_logger: object, method: str, event: dict[str, object]) -> dict[str, object]:
        if method in {"error", "exception", "critical"}:
            failures.append(str(event))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[note], cache_logger_on_first_use=False)
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = folder / "cert.pem", folder / "key.pem"
    make_certificate(cert, key)
    door = Door(max_size=50_000, idle_s=5, data_s=10, tls_cert_file=cert, tls_key_file=key, relays_file=folder / "none",
                max_connections_per_address=500)  # fmt: skip
    await door.listener.start()
    counts: Counter[str] = Counter()
    sent = set[bytes]()
    gate = asyncio.Semaphore(20)

    async def one(number: int) -> None:
        async with gate:
            await converse(door, random.Random(f"{seed}-{number}"), counts, sent)

    try:
        await asyncio.gather(*(one(n) for n in range(conversations)))
        for _ in range(200):
            if not door.listener.conversations:
                break
            await asyncio.sleep(0.05)
        left = door.listener.conversations
    finally:
        await door.listener.stop(0)
        structlog.configure(**before)
        for path in (cert, key):
            path.unlink()
        folder.rmdir()
    return {
        "conversations": conversations, "mails taken": len(door.took), "replies": counts["replies"],
        "failures": len(failures) + counts["451"], "not a reply": counts["odd"],
        "wrong mails": counts["wrong"] + sum(mail.signed not in sent for mail in door.took),
        "left open": left, "first failure": failures[:1],
    }  # fmt: skip


async def converse(door: Door, rng: random.Random, counts: Counter[str], sent: set[bytes]) -> None:
    """One peer: some of it is meant well."""
    said, mails = script(rng)
    sent.update(mails)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    step = rng.choice((len(said), len(said), 7, 700))
    heard = asyncio.create_task(reader.read(2_000_000))
    try:
        for start in range(0, len(said), max(step, len(said) // 50 + 1)):
            writer.write(said[start : start + max(step, len(said) // 50 + 1)])
            await writer.drain()
        if rng.random() < 0.2:
            writer.transport.abort()
        else:
            writer.write_eof()
        lines = (await asyncio.wait_for(_all(heard, reader), 20)).split(b"\r\n")
    except (OSError, RuntimeError):
        heard.cancel()
        return
    finally:
        writer.close()
    if b"STARTTLS" in said:  # what follows may be a handshake
        return
    counts["replies"] += len(lines) - 1
    counts["odd"] += sum(REPLY.fullmatch(line) is None for line in lines[:-1]) + (lines[-1] != b"")
    counts["451"] += sum(line.startswith(b"451") for line in lines)
    counts["wrong"] += sum(line.startswith(b"250 2.0.0 stored") for line in lines) > len(mails)


async def _all(heard: asyncio.Task[bytes], reader: asyncio.StreamReader) -> bytes:
    first = await heard
    return first + await reader.read(-1) if first else first


def script(rng: random.Random) -> tuple[bytes, list[bytes]]:
    """What one peer says, and the mails that it says well."""
    pieces, mails = [b"EHLO peer.example\r\n"] if rng.random() < 0.9 else [], list[bytes]()
    for _ in range(rng.randrange(1, 6)):
        if rng.random() < 0.5:
            pieces.append(rng.choice(COMMANDS) + rng.choice((b"\r\n", b"\r\n", b"\n", b"\r", b"")))
            continue
        body = b"".join(rng.choice(ODD) for _ in range(rng.randrange(8)))
        mark = b"%d" % rng.randrange(10**12)
        envelope = b"RSET\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<support@demo.test>\r\n"
        if rng.random() < 0.3:
            raw = mark + body
            pieces.append(envelope + b"BDAT %d LAST\r\n" % len(raw) + raw)
        else:
            raw = mark + body.replace(b"\r\n.", b"\r\n-") + b"\r\n"
            pieces.append(envelope + b"DATA\r\n" + raw + b".\r\n")
        mails.append(raw)
    return b"".join(pieces), mails


if __name__ == "__main__":
    sys.exit(main())
