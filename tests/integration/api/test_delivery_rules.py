"""Suppression lists and domains at the door and on the command line, test keys, and who sent this."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gatepost_mail.identity import verify_identity
from support.installation import eventually, header

_numbers = itertools.count(int(time.time() * 1000))


def fresh(name: str = "ada") -> str:
    return f"{name}{next(_numbers)}@customer.example"


@pytest.fixture(scope="module")
def doors(gatepost: Any) -> Iterator[dict[str, httpx2.Client]]:
    made = {
        name: httpx2.Client(
            base_url=gatepost.http_url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False
        )
        for name, key in gatepost.keys.items()
    }
    yield made
    for client in made.values():
        client.close()


def cli(gatepost: Any, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, as an operator runs it."""
    program = Path(sys.executable).with_name("gatepost")
    env = dict(os.environ) | {"GATEPOST_URL": gatepost.http_url, "GATEPOST_API_KEY": gatepost.keys["operator"]}
    return subprocess.run([str(program), *words], capture_output=True, text=True, check=False, env=env, timeout=60)


# -- suppression ----------------------------------------------------------------------------------------------------


def test_a_category_is_suppressed_alone(gatepost: Any, doors: dict[str, httpx2.Client]) -> None:
    """Who wants no newsletter may still get an answer."""
    address = fresh()
    doors["agent"].post("/v1/suppression", json={"address": address, "category": "newsletter"})
    mail = {"from": gatepost.mailbox["address"], "to": address, "subject": "s", "body": f"b{next(_numbers)}"}

    refused = doors["agent"].post("/send_email", json=mail | {"category": "newsletter"})
    taken = doors["agent"].post("/send_email", json=mail | {"category": "support"})

    assert (400, "suppressed", [address]) == (refused.status_code, refused.json()["code"], refused.json()["recipients"])
    assert 202 == taken.status_code


def test_lists_come_in_and_go_out(gatepost: Any, doors: dict[str, httpx2.Client]) -> None:
    """What other senders export is understood; each line is taken or named; the export reads back as it was."""
    hard, spam, wrong = fresh("hard"), fresh("spam"), "no address"
    text = (
        f'Email,Type,mailbox\r\n{hard},Hard-Bounce,\r\n"{spam}",SpamComplaint,{gatepost.mailbox["address"]}\r\n'
        f"{wrong},bounce,\r\n{fresh()},nonsense,\r\n{fresh()},bounce,who@else.where\r\n"
    )

    first = doors["operator"].post("/v1/suppression/import", json={"csv": text}).json()
    again = doors["operator"].post("/v1/suppression/import", json={"csv": text}).json()
    out = doors["operator"].get("/v1/suppression/export")
    rows = {row["address"]: row for row in csv.DictReader(io.StringIO(out.text))}

    assert (2, 0, 3, [4, 5, 6]) == (
        first["added"], first["already_suppressed"], first["refused"], [e["line"] for e in first["errors"]],
    )  # fmt: skip
    assert (0, 2) == (again["added"], again["already_suppressed"])
    assert ("bounced", "") == (rows[hard]["reason"], rows[hard]["mailbox"])
    assert ("complained", gatepost.mailbox["address"]) == (rows[spam]["reason"], rows[spam]["mailbox"])
    assert "text/csv" in out.headers["content-type"]
    listed = doors["operator"].get("/v1/suppression", params={"reason": "bounced", "q": hard[:12]}).json()
    assert [hard] == [row["address"] for row in listed["suppressions"]]


def test_a_list_of_addresses_is_a_list(doors: dict[str, httpx2.Client]) -> None:
    told = doors["operator"].post("/v1/suppression/import", json={"suppressions": [fresh(), {"email": fresh()}]}).json()
    empty = doors["operator"].post("/v1/suppression/import", json={"csv": "address\n"})

    assert 2 == told["added"]
    assert 400 == empty.status_code
    assert 403 == doors["agent"].post("/v1/suppression/import", json={"suppressions": [fresh()]}).status_code
    assert 403 == doors["agent"].get("/v1/suppression/export").status_code


def test_no_cell_of_the_export_runs_in_a_spreadsheet(doors: dict[str, httpx2.Client]) -> None:
    address = f"=cmd{next(_numbers)}@customer.example"
    doors["operator"].post("/v1/suppression", json={"address": address})

    assert f"\r\n'{address}," in doors["operator"].get("/v1/suppression/export").text


def test_the_command_line_does_the_same(gatepost: Any, tmp_path: Path) -> None:
    one, two = fresh("one"), fresh("two")
    file = tmp_path / "in.csv"
    file.write_text(f"{one}\nnonsense@\n")

    added = cli(gatepost, "suppression", "add", two, "--category", "news")
    imported = cli(gatepost, "suppression", "import", str(file))
    listed = json.loads(cli(gatepost, "suppression", "list", "--search", two, "--json").stdout)
    exported = cli(gatepost, "suppression", "export", str(tmp_path / "out.csv"))
    removed = cli(gatepost, "suppression", "remove", one)
    missing = cli(gatepost, "suppression", "remove", fresh())

    assert (0, 1, 0, 0, 1) == tuple(x.returncode for x in (added, imported, exported, removed, missing))
    assert "1 added" in imported.stdout
    assert "line 2: nonsense@" in imported.stderr
    assert [(two, "news")] == [(row["address"], row["category"]) for row in listed]
    assert one in (tmp_path / "out.csv").read_text()
    assert "not suppressed" in missing.stderr
    assert "Traceback" not in missing.stderr


# -- domains --------------------------------------------------------------------------------------------------------


def test_a_domain_lists_what_to_publish_and_what_is_wrong(gatepost: Any, doors: dict[str, httpx2.Client]) -> None:
    name = f"d{next(_numbers)}.invalid"

    made = doors["operator"].post("/v1/domains", json={"domain": name.upper() + "."})
    again = doors["operator"].post("/v1/domains", json={"domain": name}).json()
    row = made.json()

    assert 201 == made.status_code
    assert (name, "pending", False) == (row["domain"], row["status"], row["dkim_verified"])
    assert row["id"] == again["id"]
    assert {"dkim", "spf", "dmarc", "mx", "return_path", "mta_sts"} == {r["purpose"] for r in row["dns_records"]}
    assert ["gp1", "gp2"] == [key["selector"] for key in row["keys"]]
    assert all(key["value"].startswith("v=DKIM1") for key in row["keys"])
    by_name = doors["operator"].get(f"/v1/domains/{name}").json()
    assert by_name["id"] == row["id"]
    assert name in [d["domain"] for d in doors["operator"].get("/v1/domains").json()["domains"]]

    early = doors["operator"].post(f"/v1/domains/{row['id']}/rotate", json={"step": "switch"})
    waiting = doors["operator"].post(f"/v1/domains/{row['id']}/rotate", json={"step": "next"}).json()
    not_ready = doors["operator"].post(f"/v1/domains/{row['id']}/rotate", json={"step": "switch"})
    assert (404, 409) == (early.status_code, not_ready.status_code)
    assert ["gp1", "gp2", "gp3", "gp4"] == [key["selector"] for key in waiting["keys"]]
    assert 403 == doors["agent"].get("/v1/domains").status_code

    told = cli(gatepost, "domains", "verify", name)
    assert 1 == told.returncode
    assert "[missing] spf: There is no SPF record" in told.stdout or "[unknown]" in told.stdout
    assert 200 == doors["operator"].request("DELETE", f"/v1/domains/{row['id']}").status_code
    assert 404 == doors["operator"].get(f"/v1/domains/{name}").status_code


@pytest.mark.parametrize("name", ["", "localhost", "a b.test", "http://a.test", "-a.test"])
def test_what_is_no_domain_is_said(doors: dict[str, httpx2.Client], name: str) -> None:
    assert 400 == doors["operator"].post("/v1/domains", json={"domain": name}).status_code


# -- who sent this --------------------------------------------------------------------------------------------------


def test_the_identity_header_is_checked_with_the_published_key(gatepost: Any, doors: dict[str, httpx2.Client]) -> None:
    """By anybody, with nothing of ours but the key; where Node is here, with the page's own script."""
    asked = gatepost.write()
    held = gatepost.held_for(asked)
    doors["reviewer"].post("/decide_email", json={"message_id": held["id"], "decision": "approve"})
    (raw,) = eventually(lambda: gatepost.left_in_reply_to(asked), "the answer")
    value = "".join(header(raw, "x-gatepost-identity").split())
    keys = httpx2.get(f"{gatepost.http_url}/.well-known/gatepost-signing-key", trust_env=False).json()

    from cryptography.hazmat.primitives.asymmetric import ec

    numbers = [int.from_bytes(_decoded(keys["keys"][0][name]), "big") for name in ("x", "y")]
    claim = verify_identity(value, ec.EllipticCurvePublicNumbers(*numbers, ec.SECP256R1()).public_key())
    assert claim is not None
    assert (True, keys["keys"][0]["kid"]) == (claim["approved"], claim["kid"])
    assert claim["message_id"] == header(raw, "message-id")

    page = httpx2.get(f"{gatepost.http_url}/verify", trust_env=False)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    if node := shutil.which("node"):
        script = page.text.split("<script>")[1].split("</script>")[0]
        changed = ("A" if value[5] != "A" else "B").join((value[:5], value[6:]))
        asks = f"""{script}
        const keys = {json.dumps(keys["keys"])};
        const tell = async (v) => {{ try {{ return (await gatepostVerify.verify(v, keys)).message_id; }} catch {{ return "no"; }} }};
        (async () => console.log(JSON.stringify([await tell({json.dumps("X-Gatepost-Identity: " + value)}),
          await tell({json.dumps(changed)}), await tell("junk")])))();"""
        told = subprocess.run([node, "-e", asks], capture_output=True, text=True, check=True, timeout=30)
        assert [claim["message_id"], "no", "no"] == json.loads(told.stdout)


def _decoded(text: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(text + "==")


def test_a_test_key_says_so(doors: dict[str, httpx2.Client]) -> None:
    made = (
        doors["operator"].post("/v1/api-keys", json={"name": "trial", "scopes": ["read", "send"], "test": True}).json()
    )
    usual = doors["operator"].post("/v1/api-keys", json={"name": "usual", "scopes": ["read"]}).json()

    assert (True, True) == (made["api_key"].startswith("gp_test_"), made["test"])
    assert (True, False) == (usual["api_key"].startswith("gp_live_"), usual["test"])


# -- a mailbox's pace -----------------------------------------------------------------------------------------------


def test_a_mailbox_keeps_its_own_pace_and_address(gatepost: Any, doors: dict[str, httpx2.Client]) -> None:
    """What is set is shown, null takes it away, and a wrong word is said before it is stored."""
    box = doors["operator"].post("/v1/mailboxes", json={"address": f"pace{next(_numbers)}@guide.test"}).json()
    path = f"/v1/mailboxes/{box['id']}"

    wanted = {"send_window": "Mon-Sun 00:00-23:59 Europe/Berlin", "rate_per_hour": 30, "physical_address": "1 Own Road"}
    told = doors["operator"].patch(path, json=wanted | {"warmup": True}).json()
    sent = (
        doors["agent"]
        .post(
            "/send_email",
            json={"from": box["address"], "to": fresh(), "subject": "s", "body": "b", "oversight_mode": "gated_all"},
        )
        .json()
    )

    def held() -> bool:
        page = doors["reviewer"].get("/list_pending", params={"mailbox_id": box["id"]}).json()["messages"]
        return any(mail["id"] == sent["id"] for mail in page)

    eventually(held, "the held mail")
    doors["reviewer"].post("/decide_email", json={"message_id": sent["id"], "decision": "approve"})
    text = eventually(
        lambda: next((json.dumps(m) for m in gatepost.left() if sent["id"].lower() in header(m, "message-id")), None),
        "the mail that left",
    )
    cleared = (
        doors["operator"]
        .patch(path, json={"send_window": None, "rate_per_hour": None, "warmup": False, "physical_address": ""})
        .json()
    )
    inherited = doors["operator"].patch(path, json={"physical_address": None}).json()

    assert wanted == {name: told[name] for name in wanted}
    assert told["warmup_from"] is not None
    assert "1 Own Road" in text
    assert [None, None, None, ""] == [
        cleared[n] for n in ("send_window", "rate_per_hour", "warmup_from", "physical_address")
    ]
    assert inherited["physical_address"] is None
    for wrong in ({"send_window": "always"}, {"rate_per_hour": "many"}, {"warmup_from": "soon"}):
        assert 400 == doors["operator"].patch(path, json=wrong).status_code
    assert 403 == doors["agent"].patch(path, json={"rate_per_hour": 1}).status_code


def test_a_mailbox_that_quotes_shows_the_question_below_the_answer(
    gatepost: Any, doors: dict[str, httpx2.Client]
) -> None:
    """Rendered the same by its author, the reviewer's edit and the gatekeeper, so that it can be approved and leaves."""
    path = f"/v1/mailboxes/{gatepost.mailbox['id']}"
    assert doors["operator"].patch(path, json={"quote_original": True}).json()["quote_original"] is True
    try:
        asked = gatepost.write()
        held = gatepost.held_for(asked)
        decision = {"message_id": held["id"], "decision": "approve", "revised_body": "It takes three days."}
        assert 200 == doors["reviewer"].post("/decide_email", json=decision).status_code
        (mail,) = eventually(lambda: gatepost.left_in_reply_to(asked), "the answer")
    finally:
        doors["operator"].patch(path, json={"quote_original": False})

    text = json.dumps(mail)
    assert "It takes three days." in text
    assert "wrote:" in text
    assert "\\n> " in text or "\\r\\n> " in text


def test_an_unsubscribe_link_knows_the_category_of_its_mail(gatepost: Any, doors: dict[str, httpx2.Client]) -> None:
    """One click stops everything; who chooses so on the page stops mail of that category only."""
    box = doors["operator"].post("/v1/mailboxes", json={"address": f"news{next(_numbers)}@guide.test"}).json()
    paths = {}
    for choice in ("category", "all"):
        address = fresh(choice)
        mail = {
            "from": box["address"],
            "to": address,
            "subject": "s",
            "body": f"b{next(_numbers)}",
            "category": "newsletter",
        }
        sent = doors["agent"].post("/send_email", json=mail | {"oversight_mode": "gated_all"}).json()
        eventually(
            lambda sent=sent: any(
                m["id"] == sent["id"]
                for m in doors["reviewer"].get("/list_pending", params={"mailbox_id": box["id"]}).json()["messages"]
            ),
            "the held mail",
        )
        doors["reviewer"].post("/decide_email", json={"message_id": sent["id"], "decision": "approve"})
        left = eventually(
            lambda sent=sent: next((m for m in gatepost.left() if sent["id"].lower() in header(m, "message-id")), None),
            "the mail that left",
        )
        link = header(left, "list-unsubscribe").split("<")[1].split(">")[0]
        paths[choice] = (address, "/v1/unsubscribe/" + link.rsplit("/", 1)[1])

    def refused(address: str, category: str | None) -> bool:
        mail = {"from": box["address"], "to": address, "subject": "s", "body": f"b{next(_numbers)}"}
        reply = doors["agent"].post("/send_email", json=mail | ({"category": category} if category else {}))
        return reply.status_code == 400

    anybody = httpx2.Client(base_url=gatepost.http_url, trust_env=False, timeout=30)
    page = anybody.get(paths["category"][1]).text
    anybody.post(paths["category"][1], data={"scope": "category"})
    anybody.post(paths["all"][1], data={"List-Unsubscribe": "One-Click"})
    anybody.close()

    assert "<b>newsletter</b>" in page
    assert (True, False) == (refused(paths["category"][0], "newsletter"), refused(paths["category"][0], None))
    assert (True, True) == (refused(paths["all"][0], "newsletter"), refused(paths["all"][0], None))
