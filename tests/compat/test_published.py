"""The published SDK and its framework wrappers, as they were published, against our own processes.

They live in an environment of their own (`make compat`), since a program of theirs must not find anything of ours.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from support.installation import eventually

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-compat" / "bin" / "python"
CALLS = Path(__file__).with_name("published_calls.py")
NOT_YET = (ROOT / "tests" / "contracts" / "rest_rows_not_yet.txt").read_text()
DOMAINS = {"list_domains", "add_domain", "verify_domain", "delete_domain"}
_numbers = itertools.count(1)

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="the published packages are not here: make compat")


def prepared(gatepost: Any) -> dict[str, Any]:
    """What every method needs: two mails, one with an attachment, a held draft, and things to end."""
    import smtplib

    n = next(_numbers)
    call = gatepost.call
    box = call("POST", "/v1/mailboxes", {"address": f"compat{n}@compat.test", "display_name": "Compat"}, key="operator")
    spare = call("POST", "/v1/mailboxes", {"address": f"spare{n}@compat.test"}, key="operator")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ada <ada@customer.example>", box["address"], "With a file"
    mail["Message-ID"] = f"<compat{n}.{box['id']}@customer.example>"
    mail.set_content("The file is attached.")
    mail.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="table one.csv")
    with smtplib.SMTP(*gatepost.smtp, timeout=15) as smtp:
        smtp.send_message(mail)
    other = gatepost.write(to=box["address"], subject="Another")
    first = eventually(lambda: gatepost.inbound(mail["Message-ID"], mailbox_id=box["id"]), "the mail")
    second = eventually(lambda: gatepost.inbound(other, mailbox_id=box["id"]), "the other mail")
    held = call("POST", "/reply_email", {"message_id": first["id"], "body": f"A draft {n}."})
    cancel = call(
        "POST",
        f"/v1/mailboxes/{box['id']}/send",
        {"to": "x@compat.test", "subject": "No", "markdown": f"Withdrawn {n}."},
    )
    for message in (held, cancel):
        eventually(lambda m=message: call("GET", f"/v1/emails/{m['id']}")["status"] == "pending_send_approval", "held")
    call("POST", "/v1/suppression", {"address": f"gone{n}@compat.test"})
    made: dict[str, Any] = {
        "url": gatepost.http_url, "keys": {k: gatepost.keys[k] for k in ("agent", "reviewer", "operator")},
        "mailbox": box["id"], "spare": spare["id"], "spare_address": f"more{n}@compat.test", "mail": first["id"],
        "thread": first["thread_id"], "attachment": "table one.csv", "other_mail": second["id"], "held": held["id"], "cancel": cancel["id"],
        "words": f"Words of round {n}.", "contact": f"ada{n}@compat.test", "suppressed": f"gone{n}@compat.test",
        "contact_id": call("POST", "/v1/contacts", {"email": f"ada.old{n}@compat.test"})["id"],
        "key_id": call("POST", "/v1/api-keys", {"name": "to revoke"}, key="operator")["id"],
        "webhook": call("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9/x", "events": ["*"]}, key="operator")["id"],
        "domain_name": f"compat{n}.test", "domain": "dom_none",
    }  # fmt: skip
    if "/v1/domains" not in NOT_YET:
        made["domain"] = call("POST", "/v1/domains", {"domain": f"old{n}.test"}, key="operator")["id"]
    return made


def run(what: str, made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Method or tool -> what became of it."""
    done = subprocess.run(
        [str(PYTHON), str(CALLS), what], input=json.dumps(made), capture_output=True, text=True, timeout=240, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(made["home"]), "OTEL_SDK_DISABLED": "true"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("what", ["sdk", "sdk_async"])
def test_every_method_of_the_published_sdk_works(gatepost: Any, what: str, tmp_path: Path) -> None:
    made = {**prepared(gatepost), "home": str(tmp_path)}
    lines = run(what, made)
    if what == "sdk":
        assert lines.pop("every method is called")["text"] == "[]"

    assert len(lines) == 36
    assert lines.pop("delete_account")["status"] == 501
    if "/v1/domains" in NOT_YET:
        for name in DOMAINS:
            assert lines.pop(name)["raised"] == "NotFoundError"
    assert {name: line for name, line in lines.items() if "raised" in line} == {}
    assert "1,2" in lines["download_attachment"]["text"]
    sent = eventually(
        lambda: list(
            gatepost.left_in_reply_to(f"<compat{made['domain_name'][6:-5]}.{made['mailbox']}@customer.example>")
        ),
        "the approved mail",
    )
    assert len(sent) == 1


@pytest.mark.parametrize("what", ["langchain", "llamaindex"])
def test_every_published_tool_reads_well(gatepost: Any, what: str, tmp_path: Path) -> None:
    """A wrapper prints "?" and "(no text body)" where a field that it knows is not there."""
    lines = run(what, {**prepared(gatepost), "home": str(tmp_path)})

    assert lines.pop("every tool is called")["text"] == "[]"
    assert len(lines) == 9
    assert {name: line for name, line in lines.items() if "raised" in line} == {}
    for name, line in lines.items():
        for bad in ("?", "(no text body)", "(no name)", "Error"):
            assert bad not in line["text"], (name, line["text"])
