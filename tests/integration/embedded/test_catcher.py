"""The mail catcher keeps what it took, shows it safely and misbehaves only when told to."""

from __future__ import annotations

import json
import smtplib
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gatepost_mail.dkim import DkimKey, sign

PROGRAM = Path(sys.executable).with_name("gatepost-catcher")


class Catcher:
    def __init__(self, folder: Path) -> None:
        self.folder, self.records = folder, folder / "records.json"
        self.start()

    def start(self) -> None:
        line = [str(PROGRAM), "--data", str(self.folder), "--dkim-records", str(self.records)]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        with self.process.stdout as said:
            ports = json.loads(said.readline())
        self.smtp_port, self.url = ports["smtp_port"], f"http://127.0.0.1:{ports['http_port']}"

    def ask(self, path: str, body: Any = None, *, method: str = "GET", **headers: str) -> Any:
        return json.loads(self.open(path, body, method=method, **headers).read())

    def open(self, path: str, body: Any = None, *, method: str = "GET", **headers: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method="POST" if data else method)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            request.add_header(name, value)
        return urllib.request.urlopen(request, timeout=10)

    def fault(self, **order: Any) -> None:
        self.ask("/api/faults", order)

    def send(self, to: str = "ada@customer.test", raw: bytes | None = None, subject: str = "Hello") -> Any:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=5) as smtp:
            return smtp.sendmail("bot@gatepost.test", [to], raw or mail(to, subject))

    def messages(self, query: str = "") -> list[dict[str, Any]]:
        return list(self.ask(f"/api/messages{query}")["messages"])

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def mail(to: str = "ada@customer.test", subject: str = "Hello") -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"], made["Message-ID"] = (
        "bot@gatepost.test",
        to,
        subject,
        "<1@gatepost.test>",
    )
    made["Date"] = "Tue, 24 Nov 2026 10:00:00 +0000"
    made.set_content("The text.")
    made.add_alternative("<p>The <script>alert(1)</script> page.</p>", subtype="html")
    made.add_attachment(b"abc", maintype="application", subtype="pdf", filename="a.pdf")
    made.set_boundary("outer")  # else drawn anew each time
    next(iter(made.iter_parts())).set_boundary("inner")
    return made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    made = Catcher(tmp_path)
    yield made
    made.end()


def test_what_was_answered_250_survives_a_kill(catcher: Catcher) -> None:
    """The mail is on the disk before the sender hears that it is."""
    catcher.send()
    catcher.process.kill()
    catcher.process.wait()
    catcher.start()

    (kept,) = catcher.messages()

    assert ("bot@gatepost.test", ["ada@customer.test"]) == (kept["envelope_from"], kept["rcpt_to"])
    assert ["Subject", "Hello"] in kept["headers"]
    assert "The text." == kept["text"]
    assert "<script>" in kept["html"]
    assert ["a.pdf"] == [a["name"] for a in kept["attachments"]]
    assert mail() == catcher.open(f"/api/messages/{kept['id']}/raw").read()
    assert kept == catcher.ask(f"/api/messages/{kept['id']}")


def test_mails_are_found_and_thrown_away(catcher: Catcher) -> None:
    """By recipient, subject and Message-ID."""
    catcher.send("ada@customer.test", subject="One")
    catcher.send("bob@customer.test", subject="Two")

    assert ["One"] == [m["subject"] for m in catcher.messages("?to=ADA@")]
    assert ["Two"] == [m["subject"] for m in catcher.messages("?subject=two")]
    assert 2 == len(catcher.messages("?message_id=1@gatepost.test"))
    assert [] == catcher.messages("?message_id=2@gatepost.test")
    assert {"deleted": 2} == catcher.ask("/api/messages", method="DELETE")
    assert [] == catcher.messages()


def test_signatures_are_checked_as_soon_as_the_key_is_known(catcher: Catcher) -> None:
    """The sender may write its record after the mail has left."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = DkimKey.load(pem, "gatepost.test", "s1")
    catcher.send(raw=sign(mail(), [key], timestamp=1_790_000_000))
    before = catcher.messages()[0]["dkim"]
    catcher.records.write_text(json.dumps({"s1._domainkey.gatepost.test": key.public_record()}))
    after = catcher.messages()[0]["dkim"]

    assert [{"domain": "gatepost.test", "selector": "s1", "result": "no key"}] == before
    assert [{"domain": "gatepost.test", "selector": "s1", "result": "pass"}] == after


def test_pages_show_a_mail_without_running_it(catcher: Catcher) -> None:
    """Markup in a mail is text here, and nothing from it may load."""
    catcher.send(subject="<img src=x onerror=alert(1)>")
    (kept,) = catcher.messages()

    for path in ("/", f"/messages/{kept['id']}"):
        page = catcher.open(path)
        text = page.read().decode()
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert "nosniff" == page.headers["x-content-type-options"]
        assert "<img" not in text
        assert "<script" not in text
        assert "&lt;img src=x" in text


@pytest.mark.parametrize(
    ("stage", "code"), [("connect", 421), ("rcpt", 451), ("data", 452), ("dot", 554)]
)  # fmt: skip
def test_a_fault_is_committed_once_at_its_stage(catcher: Catcher, stage: str, code: int) -> None:
    """A test of the sender can have each reply where it wants it."""
    catcher.fault(stage=stage, reply=f"{code} 4.3.0 as ordered", count=1)
    with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as refused:
        catcher.send()
    first = [m["id"] for m in catcher.messages()]
    catcher.send()

    assert str(code) in str(refused.value)
    assert [] == first
    assert 1 == len(catcher.messages())


@pytest.mark.parametrize("keep", [True, False])
def test_the_line_can_be_cut_after_the_dot(catcher: Catcher, keep: bool) -> None:
    """With or without the mail being kept: the sender cannot tell."""
    catcher.fault(stage="dot", reply="close", keep=keep)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        catcher.send()

    assert int(keep) == len(catcher.messages())


def test_silence_is_silence_and_others_are_served(catcher: Catcher) -> None:
    """Only for the recipient that was named."""
    catcher.fault(stage="rcpt", reply="silence", count=None, match="ADA@")
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port, timeout=0.5) as smtp:
        smtp.ehlo()
        smtp.mail("bot@gatepost.test")
        with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
            smtp.rcpt("ada@customer.test")
        smtp.close()
    catcher.send("bob@customer.test")

    assert ["bob@customer.test"] == catcher.messages()[0]["rcpt_to"]
    assert 1 == catcher.ask("/api/faults")["faults"][0]["used"]
    assert [] == catcher.ask("/api/faults", method="DELETE")["faults"]
    catcher.send("ada@customer.test")


def test_pipelined_commands_are_answered_in_order(catcher: Catcher) -> None:
    """A sender may put the whole envelope on the wire at once."""
    with socket.create_connection(("127.0.0.1", catcher.smtp_port), timeout=5) as peer:
        peer.sendall(b"EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n")
        said = b""
        while b"\r\n354" not in said:
            said += peer.recv(4096)
        peer.sendall(b"Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
        while b"\r\n221" not in said:
            said += peer.recv(4096)

    assert b"250-PIPELINING" in said
    assert [".dot"] == [m["text"] for m in catcher.messages()]


@pytest.mark.parametrize(
    "order",
    [{}, [], {"stage": "helo", "reply": "close"}, {"stage": "dot", "reply": "maybe"},
     {"stage": "dot", "reply": "451 a\r\n250 b"}, {"stage": "dot", "reply": "close", "count": 0},
     {"stage": "dot", "reply": "close", "other": 1}],
)  # fmt: skip
def test_a_senseless_order_is_refused(catcher: Catcher, order: Any) -> None:
    """A test that misspells its fault must not pass by accident."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        catcher.ask("/api/faults", order)

    assert 400 == refused.value.code


def test_only_loopback_names_and_json_orders_are_served(catcher: Catcher) -> None:
    """A web page elsewhere can neither read the mails under its own name nor order faults by a form."""
    with pytest.raises(urllib.error.HTTPError) as foreign:
        catcher.open("/api/messages", Host="evil.example")
    with pytest.raises(urllib.error.HTTPError) as form:
        catcher.open("/api/faults", {"stage": "dot", "reply": "close"}, **{"Content-Type": "text/plain"})

    assert (400, 415) == (foreign.value.code, form.value.code)


def test_a_taken_port_is_a_plain_sentence(tmp_path: Path) -> None:
    """No traceback for what a user can mend."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        line = [str(PROGRAM), "--data", str(tmp_path), "--smtp-port", str(port)]
        answer = subprocess.run(line, capture_output=True, text=True, timeout=20, check=False)

    assert 1 == answer.returncode
    assert f"cannot listen for mail on 127.0.0.1:{port}" in answer.stderr
    assert "Traceback" not in answer.stderr
