"""Large mail and large files take the whole way through an object store: in, to the agent, to the reviewer, and out."""

from __future__ import annotations

import base64
import hashlib
import smtplib
import urllib.request
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from support.installation import Installation, eventually
from support.object_server import ObjectServer


def fetched(gatepost: Installation, path: str, key: str) -> bytes:
    request = urllib.request.Request(
        gatepost.http_url + path, headers={"Authorization": f"Bearer {gatepost.keys[key]}"}
    )
    with urllib.request.urlopen(request, timeout=15) as reply:
        return bytes(reply.read())


@pytest.mark.check
def test_a_large_file_comes_in_and_another_goes_out(tmp_path: Path) -> None:
    came, goes = hashlib.sha512(b"in").digest() * 2_000, hashlib.sha512(b"out").digest() * 2_000
    with ObjectServer() as objects:
        gatepost = Installation(tmp_path / "data", "--mode", "gated_send", environment=objects.environment()).start()
        try:
            mail = EmailMessage()
            mail["From"], mail["To"], mail["Subject"] = "ada@customer.example", gatepost.mailbox["address"], "A file"
            mail["Message-ID"] = "<large@customer.example>"
            mail.set_content("Here it is.")
            mail.add_attachment(came, maintype="application", subtype="octet-stream", filename="came.bin")
            with smtplib.SMTP(*gatepost.smtp, timeout=15) as smtp:
                smtp.send_message(mail)
            inbound = eventually(lambda: gatepost.inbound("<large@customer.example>"), "the mail")
            emails = f"/v1/mailboxes/{gatepost.mailbox['id']}/emails"
            assert fetched(gatepost, f"{emails}/{inbound['id']}/attachments/came.bin", "agent") == came

            file = {
                "name": "goes.bin",
                "content": base64.b64encode(goes).decode(),
                "content_type": "application/octet-stream",
            }
            sent = gatepost.call(
                "POST", "/send_email", {"from": gatepost.mailbox["address"], "to": "bob@there.example", "subject": "Ours",
                                        "body": "See the file.", "attachments": [file]},
            )  # fmt: skip
            eventually(
                lambda: gatepost.call("GET", f"{emails}/{sent['id']}")["status"] == "pending_send_approval", "the gate"
            )
            assert fetched(gatepost, f"{emails}/{sent['id']}/attachments/goes.bin", "reviewer") == goes
            seen = gatepost.call("GET", f"{emails}/{sent['id']}", key="reviewer")
            gatepost.call(
                "POST", "/decide_email", {"message_id": sent["id"], "decision": "approve", "revision": seen["content_sha256"]},
                key="reviewer",
            )  # fmt: skip
            left = eventually(
                lambda: next((m for m in gatepost.left() if "bob@there.example" in m["rcpt_to"]), None),
                "the mail that left",
            )
            with urllib.request.urlopen(f"{gatepost.catcher_url}/api/messages/{left['id']}/raw", timeout=15) as reply:
                parts = BytesParser(policy=policy.default).parsebytes(reply.read()).iter_attachments()
            assert [part.get_content() for part in parts] == [goes]
            assert len(objects.kept) == 2
        finally:
            assert gatepost.stop() == 0
