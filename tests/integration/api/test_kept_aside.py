"""Files of mails, and mail that is kept aside: what leaves only as a download, and what agents see only after a person."""

from __future__ import annotations

import smtplib
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any

import pytest

from support.installation import Installation, Refused, eventually

PAGE = b"<script>alert(1)</script>"


def send(gatepost: Installation, address: str, *files: tuple[str, bytes]) -> str:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ada <ada@customer.example>", address, "Files"
    mail["Message-ID"] = make_msgid(domain="customer.example")
    mail.set_content("See the files.")
    for name, content in files:
        mail.add_attachment(content, maintype="text", subtype="html", filename=name)
    with smtplib.SMTP(*gatepost.smtp, timeout=15) as smtp:
        smtp.sendmail("ada@customer.example", [address], mail.as_bytes())
    return str(mail["Message-ID"])


def opened(url: str) -> tuple[bytes, dict[str, str]]:
    with urllib.request.urlopen(url, timeout=15) as reply:
        return reply.read(), {name.lower(): value for name, value in reply.headers.items()}


def test_a_file_leaves_as_a_download_by_an_address_that_ends(gatepost: Installation) -> None:
    """No key in it, no type that a browser shows, and not one byte of it may change."""
    rfc_id = send(gatepost, gatepost.mailbox["address"], ("r\u00e9sum\u00e9 <1>.html", PAGE))
    mail = eventually(lambda: gatepost.inbound(rfc_id), "the mail")
    view = gatepost.call("GET", f"/v1/emails/{mail['id']}")
    (file,) = view["attachments"]
    link = gatepost.call("GET", f"/v1/mailboxes/{view['mailbox_id']}/emails/{mail['id']}/attachments/{file['id']}/url")
    content, headers = opened(link["url"])

    assert (link["filename"], link["size_bytes"], link["expires_in"]) == (file["name"], len(content), 3600)
    assert content.strip() == PAGE
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment; filename*=UTF-8''r%C3%A9sum%C3%A9")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    token = link["url"].rpartition("/")[2]
    for wrong in (token[:-1], "x" + token, token.replace(".", "x."), "x", token.partition(".")[0] + "." + "a" * 16):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            opened(f"{gatepost.http_url}/v1/attachments/{wrong}")


def test_what_runs_when_opened_is_for_people(gatepost: Installation) -> None:
    rfc_id = send(gatepost, gatepost.mailbox["address"], ("invoice.pdf.EXE ", b"MZ"))
    mail = eventually(lambda: gatepost.inbound(rfc_id), "the mail")
    path = f"/v1/mailboxes/{gatepost.mailbox['id']}/emails/{mail['id']}/attachments/1/url"
    with pytest.raises(Refused) as refused:
        gatepost.call("GET", path)
    link = gatepost.call("GET", path, key="operator")

    assert (refused.value.status, refused.value.body["code"]) == (403, "content_refused")
    assert opened(link["url"])[0].strip() == b"MZ"


def test_gated_mail_is_seen_by_agents_once_a_person_released_it(gatepost: Installation) -> None:
    """With its reason in the list; a mail that was thrown away stays unseen; a repeat changes nothing."""
    box = gatepost.call(
        "POST", "/v1/mailboxes", {"address": "aside@guide.test", "oversight_mode": "gated_all"}, key="operator"
    )
    first, second = (send(gatepost, box["address"]) for _ in range(2))

    def waiting() -> dict[str, Any] | None:
        page = gatepost.call("GET", f"/v1/quarantine?mailbox_id={box['id']}", key="reviewer")["emails"]
        found = {mail["rfc_message_id"]: mail for mail in page}
        return found if len(found) == 2 else None

    mails = eventually(waiting, "two mails kept aside")
    released = gatepost.call("POST", f"/v1/quarantine/{mails[first]['id']}/release", {}, key="reviewer")
    again = gatepost.call("POST", f"/v1/quarantine/{mails[first]['id']}/release", {}, key="reviewer")
    discarded = gatepost.call("POST", f"/v1/quarantine/{mails[second]['id']}/discard", {"note": "spam"}, key="reviewer")
    with pytest.raises(Refused) as refused:
        gatepost.call("POST", f"/v1/quarantine/{mails[second]['id']}/release", {}, key="agent")

    assert [reason["rule"] if isinstance(reason, dict) else reason for reason in mails[first]["reasons"]] == [
        "gated_all"
    ]
    assert (released["status"], again["status"], discarded["status"]) == ("unread", "unread", "discarded")
    assert refused.value.status == 403
    assert gatepost.inbound(first, mailbox_id=box["id"]) is not None
    assert gatepost.inbound(second, mailbox_id=box["id"]) is None
