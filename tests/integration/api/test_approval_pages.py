"""The page of one draft: anybody with the link looks, scanners too; only a reviewer's own key decides, on what was shown."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from gatepost_store.audit.verify_audit import Unproven, verify
from support.doors import Doors, numbers
from support.installation import eventually

HTML = {"Accept": "text/html"}


def link_to(doors: Doors, mail: dict[str, Any]) -> str:
    made = doors["reviewer"].post(f"/v1/emails/{mail['id']}/approval-link")
    assert made.status_code == 201, made.text
    return "/v1/approve/" + made.json()["url"].rpartition("/")[2]


def shown(page: httpx2.Response) -> dict[str, str]:
    """The hidden fields of the page's form."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))


def test_looking_decides_nothing_and_marks_nothing(doors: Doors, box: dict[str, Any]) -> None:
    """50 loads, HEAD and POST without a key: the draft waits as before, and no look of a reviewer is noted."""
    mail = doors.held(box, subject=f"page {next(numbers)}", body="<script>alert(1)</script> & more")
    path = link_to(doors, mail)
    for _ in range(50):
        page = doors["nobody"].get(path, headers=HTML)
        assert page.status_code == 200
        assert doors["nobody"].head(path).status_code == 200
    refused = doors["nobody"].post(path, data={**shown(page), "action": "approve"}, headers=HTML)

    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert refused.status_code == 401
    assert refused.headers["content-type"].startswith("text/html")
    after = doors["operator"].get(f"/v1/emails/{mail['id']}").json()
    assert (after["status"], after["version"]) == ("pending_send_approval", mail["version"])


def test_a_reviewers_key_decides_on_exactly_what_was_shown(doors: Doors, box: dict[str, Any], gatepost: Any) -> None:
    """A page that is older than the draft decides nothing; the link of another mail decides nothing else; twice is once."""
    mail = doors.held(box, subject=f"decided by link {next(numbers)}")
    path = link_to(doors, mail)
    old = shown(doors["nobody"].get(path))
    revised = doors["agent"].post("/reply_email", json={"message_id": mail["id"], "body": f"newer {next(numbers)}"})
    assert revised.json()["revision"] == 2
    eventually(lambda: doors["operator"].get(f"/v1/emails/{mail['id']}").json()["revision"] == 2, "revision 2")
    key = {"key": gatepost.keys["reviewer"], "action": "approve"}
    stale = doors["nobody"].post(path, data={**old, **key})
    other = doors.held(box, subject=f"another {next(numbers)}")
    new = shown(doors["nobody"].get(path))
    done = doors["nobody"].post(path, data={**new, **key, "message_id": other["id"]}, headers=HTML)
    again = doors["nobody"].get(path, headers=HTML)

    assert (stale.status_code, stale.json()["code"]) == (409, "stale_revision")
    assert done.status_code == 200, done.text
    assert "approved" in done.text
    after = doors["operator"].get(f"/v1/emails/{mail['id']}").json()
    assert after["decision"] == "approve"
    assert "does not wait" in again.text
    assert "<form" not in again.text
    assert doors["operator"].get(f"/v1/emails/{other['id']}").json()["status"] == "pending_send_approval"


def test_no_other_key_decides_by_a_link(doors: Doors, box: dict[str, Any], gatepost: Any) -> None:
    mail = doors.held(box, subject=f"not yours {next(numbers)}")
    path = link_to(doors, mail)
    hidden = shown(doors["nobody"].get(path))
    for name in ("agent", "operator"):
        reply = doors["nobody"].post(path, data={**hidden, "key": gatepost.keys[name], "action": "approve"})
        assert (reply.status_code, reply.json()["code"]) == (403, "scope_missing")
    assert doors["agent"].post(f"/v1/emails/{mail['id']}/approval-link").status_code == 403
    assert doors["nobody"].get("/v1/approve/nothing", headers=HTML).status_code == 404
    assert doors["nobody"].get("/v1/approve/nothing").json()["code"] == "not_found"


def test_a_bundle_holds_the_whole_of_a_mail_and_proves_it(doors: Doors, box: dict[str, Any]) -> None:
    """Revisions, decision, grant, attempts and chain of a mail that left, and lines that verify without a server."""
    mail = doors.held(box, subject=f"bundled {next(numbers)}")
    doors["reviewer"].post("/v1/oversight/decide", json={"id": mail["id"], "action": "approve", "revision": 1})

    def whole() -> dict[str, Any] | None:
        found = doors["operator"].get(f"/v1/emails/{mail['id']}/bundle").json()
        return (
            found
            if found["mail"]["status"] == "delivered" and found["audit"]["signed"] == found["mail"]["version"]
            else None
        )

    found = eventually(whole, "a signed place for each record")

    assert [r["markdown"] for r in found["revisions"]] == [mail["draft_body"]]
    assert [d["decision"] for d in found["decisions"]] == ["approve"]
    assert found["grant"].count(".") >= 1
    assert found["attempts"][-1]["outcome"] == "delivered"
    assert [link["seq"] for link in found["chain"]] == list(range(1, found["mail"]["version"] + 1))
    assert found["thread"]["history"]
    assert sum(mail["id"] in line for line in found["audit"]["lines"]) >= found["mail"]["version"]
    assert doors["agent"].get(f"/v1/emails/{mail['id']}/bundle").status_code == 403
    said = ("\n".join(found["audit"]["lines"]) + "\n").encode()
    verify(said)
    with pytest.raises(Unproven):
        verify(said.replace(b'"held"', b'"released"'))
