"""How fast is signing, and what does a mail cost the sender, beside one bare RSA-2048 signature of the same run?

Each round measures ours and its anchors in turn, so that drift hits all; medians of CPU time of this process alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import dkim as dkimpy
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from gatepost_mail.compose import compose
from gatepost_mail.content import Content
from gatepost_mail.dkim import DkimKey, sign


def pem(key: Any) -> bytes:
    """PKCS8."""
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def traditional(key: rsa.RSAPrivateKey) -> bytes:
    """As dkimpy and opendkim read it."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def mail(size: int) -> tuple[Content, bytes]:
    """A content and its bytes, about this long."""
    line = "How long does delivery take and where is my order, please? My number is 12345.\n"
    text = line * max(1, (size - 900) // (2 * len(line)))
    content = Content(
        from_="support@demo.test", from_name="Support", to=("ada@customer.example",), subject="Re: Question", text=text,
        html="<p>" + text.replace("\n", "<br>\n") + "</p>", in_reply_to="<q@customer.example>", references=("<q@customer.example>",),
    )  # fmt: skip
    return content, compose(content, rfc_message_id="<m@demo.test>", date=datetime(2026, 1, 1, tzinfo=UTC))


def cpu_us(work: Callable[[], object], seconds: float) -> float:
    """CPU microseconds of one call."""
    work()
    done, begin, until = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < until or done < 3:
        work()
        done += 1
    return (time.process_time() - begin) / done * 1e6


def steps(raw: bytes, content: Content, key: rsa.RSAPrivateKey) -> dict[str, Callable[[], object]]:
    """What is measured; the first is the anchor of all."""
    ours = DkimKey.load(pem(key), "demo.test", "gp1")
    both = (ours, DkimKey.load(pem(ed25519.Ed25519PrivateKey.generate()), "demo.test", "gp2"))
    old = traditional(key)
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "bare RSA-2048 signature": lambda: key.sign(b"x" * 32, PKCS1v15(), SHA256()),
        "ours, RSA": lambda: sign(raw, (ours,), timestamp=1),
        "ours, RSA and Ed25519": lambda: sign(raw, both, timestamp=1),
        "dkimpy, RSA": lambda: dkimpy.sign(raw, b"gp1", b"demo.test", old, canonicalize=(b"relaxed", b"relaxed")),
        "compose": lambda: compose(content, rfc_message_id="<m@demo.test>", date=when),
    }


def opendkim_us(raw: bytes, key: rsa.RSAPrivateKey, count: int = 300) -> float | None:
    """libopendkim through its own test tool, start-up taken off; None where it is not installed."""
    tool = shutil.which("opendkim-testmsg")
    if tool is None:
        return None
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(traditional(key))
        file.flush()
        line = [tool, "-d", "demo.test", "-s", "gp1", "-k", file.name, "-C"]

        def children() -> float:
            times = os.times()
            return times.children_user + times.children_system

        begin = children()
        for _ in range(count):
            subprocess.run(line, input=raw, stdout=subprocess.DEVNULL, check=True)
        whole = children() - begin
        begin = children()
        for _ in range(count):
            subprocess.run([tool, "-V"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return max(1.0, (whole - (children() - begin)) / count * 1e6)


def measure(size: int, rounds: int, seconds: float) -> dict[str, float]:
    """Medians over the rounds, in microseconds."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    content, raw = mail(size)
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, work in steps(raw, content, key).items():
            found.setdefault(name, []).append(cpu_us(work, seconds))
    medians = {name: statistics.median(values) for name, values in found.items()}
    if (other := opendkim_us(raw, key)) is not None:
        medians["libopendkim, RSA"] = other
    return medians


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each step in each round")
    parser.add_argument("--mails", type=int, default=150, help="of a round through the sender; 0 leaves it out")
    options = parser.parse_args()
    for size in (4096, 51_200):
        show(size, measure(size, options.rounds, options.seconds))
    if options.mails:
        from bench.sender_cpu import run
        from bench.sender_cpu import show as show_rounds

        show_rounds(run(options.mails, options.rounds))
    return 0


def show(size: int, found: dict[str, float]) -> None:
    bare = found["bare RSA-2048 signature"]
    print(f"{size} bytes, CPU us of one call, and times the bare signature")
    for name, value in found.items():
        print(f"  {name:26} {value:8.0f}   {value / bare:6.2f}")
    print(
        f"  ours signs {found['dkimpy, RSA'] / found['ours, RSA']:.1f} times as fast as dkimpy (must 15 at 4096 bytes)"
    )
    if other := found.get("libopendkim, RSA"):
        print(f"  ours signs {other / found['ours, RSA']:.1f} times as fast as libopendkim (must 2)")
    else:
        print("  libopendkim: skipped, its test tool opendkim-testmsg is not here")


if __name__ == "__main__":
    sys.exit(main())
