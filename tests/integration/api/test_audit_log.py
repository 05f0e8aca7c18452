"""The log of a running installation: through the API, through the command, and in the hands of a third party."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gatepost_store.audit.verify_audit import Unproven, verify
from support.installation import GATEPOST, Installation, Refused, eventually
from support.receiver import Receiver


def audit(gatepost: Installation, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The command, as a person runs it: exit code and JSON."""
    command = [str(GATEPOST), "audit", *arguments, "--data", str(gatepost.data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout or "{}")


@pytest.fixture(scope="module")
def decided(gatepost: Installation) -> dict[str, Any]:
    """A mail that a customer wrote, whose answer a person approved and which left."""
    asked = gatepost.write(sender="Mia <mia.audit@customer.example>")
    item = gatepost.held_for(asked)
    item["decided"] = gatepost.call(
        "POST", "/decide_email", {"message_id": item["id"], "action": "approve"}, key="reviewer"
    )
    eventually(
        lambda: gatepost.call("GET", f"/v1/emails/{item['id']}", key="reviewer")["status"] == "delivered",
        "the delivery",
    )
    eventually(lambda: placed(gatepost, item["id"]), "its place in the log")
    return item


def placed(gatepost: Installation, message_id: str) -> bool:
    """Its newest record has a signed place."""
    try:
        return bool(gatepost.call("GET", f"/v1/emails/{message_id}/receipt", key="operator"))
    except Refused:
        return False


def test_the_log_page_names_who_did_what_under_which_rules(gatepost: Installation, decided: dict[str, Any]) -> None:
    """And its leaf hash, so that a page can be held against an export."""
    page = gatepost.call("GET", f"/v1/audit-log?resource_id={decided['id']}&limit=3", key="operator")
    more = gatepost.call(
        "GET", f"/v1/audit-log?resource_id={decided['id']}&limit=100&cursor={page['cursor']}", key="operator"
    )
    entries = page["entries"] + more["entries"]

    assert list(range(len(entries), 0, -1)) == [entry["seq"] for entry in entries]
    decision = next(entry for entry in entries if entry["action"] == "decide_email")
    assert ("prn_reviewer", "rpc", "T11") == (decision["principal"], decision["door"], decision["row"])
    assert decision["actor_key_id"].startswith("key_")
    assert {64} == {len(entry["leaf_hash"]) for entry in entries} == {len(entry["policy"]) for entry in entries}
    only = gatepost.call("GET", f"/get_audit_log?resource_id={decided['id']}&action=decide_email", key="operator")
    assert [decision] == only["entries"]


@pytest.mark.parametrize(
    ("path", "key"),
    [("/v1/audit-log", "agent"), ("/v1/audit-log/export", "agent"), ("/v1/audit-log", "reviewer")],
)
def test_the_log_is_for_who_administers(gatepost: Installation, path: str, key: str) -> None:
    """Reading mail is not reading the log."""
    with pytest.raises(Refused) as refused:
        gatepost.call("GET", path, key=key)

    assert 403 == refused.value.status


def test_a_receipt_is_proven_without_us(gatepost: Installation, decided: dict[str, Any]) -> None:
    """The record itself, its place, its path, the signed checkpoint; anything changed in it proves nothing."""
    given = gatepost.call("GET", f"/v1/emails/{decided['id']}/receipt?seq=1", key="operator")
    text = json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"

    assert given["index"] == verify(text.encode())["index"]
    with pytest.raises(Unproven):
        verify(text.replace(decided["id"], "msg_" + "Z" * 26).encode())


def test_a_decision_is_answered_with_a_promise_that_the_log_must_keep(
    gatepost: Installation, decided: dict[str, Any], tmp_path: Path
) -> None:
    """Signed before the record has its place; whoever holds it finds a log that leaves the record out."""
    promise = decided["decided"]["receipt"]
    text = json.dumps(promise, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    assert ("T11", "prn_reviewer") == (promise["record"]["row"], promise["record"]["principal"])
    assert verify(text.encode(), promise["key"])["leaf"]
    with pytest.raises(Unproven, match="promise"):
        verify(text.replace("prn_reviewer", "prn_somebody").encode())

    (tmp_path / "receipt.json").write_text(text)
    for name, scope, code in (("mine", decided["id"], 0), ("others", "msg_" + "0" * 26, 1)):
        thread = decided["thread_id"] if scope == decided["id"] else "thr_none"
        audit(gatepost, "export", str(tmp_path / name), "--thread", thread)
        log = str(tmp_path / name / "log.jsonl")
        assert code == audit(gatepost, "verify", log, "--receipt", str(tmp_path / "receipt.json"))[0]


def test_the_webhook_of_a_delivery_carries_a_receipt_that_proves_itself(gatepost: Installation) -> None:
    """Whoever keeps it can show that the record belongs into the log, and find a log without it."""
    with contextlib.closing(Receiver()) as receiver:
        hook = {"url": receiver.url, "events": ["email.delivered"]}
        made = gatepost.call("POST", "/v1/webhooks", hook, key="operator")
        item = gatepost.held_for(gatepost.write(sender="Rita <rita.receipt@customer.example>"))
        gatepost.call("POST", "/decide_email", {"message_id": item["id"], "action": "approve"}, key="reviewer")

        def told() -> dict[str, Any] | None:
            return next((e for e in receiver.events(event="email.delivered") if e["message_id"] == item["id"]), None)

        given = eventually(told, "the webhook")["receipt"]
        gatepost.call("DELETE", f"/v1/webhooks/{made['id']}", key="operator")
    text = json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"

    assert given["key"] == gatepost.call("GET", "/v1/audit-log/checkpoint")["key"]
    assert ("T28", item["id"], "promise" in given) == (given["record"]["row"], given["record"]["message"], True)
    assert verify(text.encode(), given["key"])["leaf"]
    with pytest.raises(Unproven, match="promise"):
        verify(text.replace('"to":"delivered"', '"to":"bounced"').encode(), given["key"])


def test_an_export_by_customer_holds_their_mails_and_is_proven(gatepost: Installation, decided: dict[str, Any]) -> None:
    """What a customer's access request or an examiner asks for."""
    checkpoint = gatepost.call("GET", "/v1/audit-log/checkpoint")
    gatepost.write(sender="Mia <mia.audit@customer.example>", text="One more thing.")
    eventually(
        lambda: gatepost.call("GET", "/v1/audit-log/checkpoint")["size"] > checkpoint["size"], "a further checkpoint"
    )
    url = f"{gatepost.http_url}/v1/audit-log/export"
    reply = httpx2.get(
        url, params={"customer": "Mia.Audit@customer.example", "kept": checkpoint["size"]}, trust_env=False,
        headers={"Authorization": f"Bearer {gatepost.keys['operator']}"},
    )  # fmt: skip
    result = verify(reply.content, checkpoint["key"], [checkpoint["checkpoint"]])
    mails = {json.loads(line)["record"]["message"] for line in reply.text.splitlines() if '"record"' in line}

    assert 200 == reply.status_code
    assert decided["id"] in mails
    assert result["subjects"] == len(mails)
    nobody = httpx2.get(url, params={"customer": "nobody@customer.example"}, trust_env=False,
                        headers={"Authorization": f"Bearer {gatepost.keys['operator']}"})  # fmt: skip
    assert 0 == verify(nobody.content)["records"]


def test_an_export_with_contents_holds_each_against_its_record(
    gatepost: Installation, decided: dict[str, Any], tmp_path: Path
) -> None:
    """What an access request hands over: the mail as it came, the answer as it was approved; a changed letter is found."""
    code, told = audit(
        gatepost, "export", str(tmp_path / "mia"), "--customer", "mia.audit@customer.example", "--contents"
    )
    log = tmp_path / "mia" / "log.jsonl"
    proven = audit(gatepost, "verify", str(log))
    files = list((tmp_path / "mia" / "contents").iterdir())

    assert (0, True) == (code, told["ok"])
    assert (0, told["contents"]) == (proven[0], proven[1]["contents"])
    assert len(files) == told["contents"] >= 2
    assert any(b"mia.audit@customer.example" in path.read_bytes() for path in files if path.suffix == ".eml")
    approved = [path for path in files if path.name.startswith(decided["id"]) and path.suffix == ".json"]
    assert [["mia.audit@customer.example"]] == [json.loads(path.read_text())["to"] for path in approved]
    openings = [line for line in log.read_text().splitlines() if line.startswith('{"opening"')]
    for line in openings:
        said = json.loads(line)["opening"]
        for name, forged in (("of", "msg_" + "0" * 26), ("text", "No."), ("raw", "Tm8u"), ("salt", "00")):
            changed = json.dumps(
                {"opening": said | {name: forged}}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
            )
            if name in said:
                with pytest.raises(Unproven):
                    verify(log.read_text().replace(line, changed).encode())
    plain = audit(gatepost, "export", str(tmp_path / "plain"), "--customer", "mia.audit@customer.example")[1]
    assert (0, "mia.audit" in (tmp_path / "plain" / "log.jsonl").read_text().split("\n", 1)[1]) == (
        plain["contents"],
        False,
    )


def test_contents_are_handed_to_people_only(gatepost: Installation, decided: dict[str, Any]) -> None:
    """An operator gets them; a program that administers does not read what waits for a person."""
    made = gatepost.call(
        "POST", "/v1/api-keys", {"name": "robot", "scopes": ["admin"], "kind": "agent"}, key="operator"
    )
    url = f"{gatepost.http_url}/v1/audit-log/export"
    asked = {"customer": "mia.audit@customer.example", "contents": "true"}
    codes = [
        httpx2.get(url, params=asked, headers={"Authorization": f"Bearer {key}"}, trust_env=False).status_code
        for key in (gatepost.keys["operator"], made["key"])
    ]

    assert [200, 403] == codes


def test_the_command_exports_what_proves_itself(
    gatepost: Installation, decided: dict[str, Any], tmp_path: Path
) -> None:
    """The folder has log, key, checkpoint and verifier; changing the log is found, with another exit code."""
    code, told = audit(gatepost, "export", str(tmp_path / "log"))
    assert (0, True) == (code, told["ok"])
    log, key = tmp_path / "log" / "log.jsonl", str(tmp_path / "log" / "key.txt")
    kept = str(tmp_path / "log" / "checkpoint.txt")
    code, result = audit(gatepost, "verify", str(log), "--key", key, "--saved", kept)
    assert (0, told["records"], True) == (code, result["records"], result["key_pinned"])

    log.write_bytes(log.read_bytes().replace(b"prn_reviewer", b"prn_somebody", 1))
    code, result = audit(gatepost, "verify", str(log), "--key", key, "--saved", kept)
    assert (1, False) == (code, result["ok"])
    assert 2 == audit(gatepost, "verify", str(tmp_path / "missing"))[0]
    code, result = audit(gatepost, "verify")
    assert (0, True) == (code, result["ok"])

    code, told = audit(gatepost, "export", str(tmp_path / "thread"), "--thread", decided["thread_id"], "--saved", kept)
    assert (0, True) == (code, told["ok"])
    folder = tmp_path / "thread"
    code, result = audit(
        gatepost, "verify", str(folder / "log.jsonl"), "--key", str(folder / "key.txt"), "--saved", kept
    )
    assert 0 == code, result


def test_a_witness_goes_along_and_refuses_a_fork(
    gatepost: Installation, decided: dict[str, Any], tmp_path: Path
) -> None:
    """Through the API, as it runs elsewhere; then it is shown a log that forgets."""
    code, first = audit(gatepost, "witness", str(tmp_path / "seen"))
    assert (0, True) == (code, first["ok"])
    gatepost.write()
    eventually(lambda: gatepost.call("GET", "/v1/audit-log/checkpoint")["size"] > first["size"], "a further checkpoint")
    code, second = audit(gatepost, "witness", str(tmp_path / "seen"))
    assert (0, True) == (code, second["size"] > first["size"])

    audit(gatepost, "export", str(tmp_path / "log"))
    code, third = audit(gatepost, "witness", str(tmp_path / "seen"), "--log", str(tmp_path / "log" / "log.jsonl"))
    assert (0, True) == (code, third["ok"])
    lines = (tmp_path / "log" / "log.jsonl").read_bytes().splitlines()
    ends = [n for n, line in enumerate(lines) if line.startswith(b'{"checkpoint"')]
    kept = lines[: ends[-2] + 1]
    head = json.loads(kept[0]) | {
        "checkpoints": len(ends) - 1,
        "records": sum(line.startswith(b'{"actor"') for line in kept),
    }
    older = tmp_path / "older.jsonl"
    older.write_bytes(b"\n".join([json.dumps(head, sort_keys=True, separators=(",", ":")).encode(), *kept[1:]]) + b"\n")
    assert 0 == audit(gatepost, "verify", str(older))[0]  # a good log by itself
    code, refused = audit(gatepost, "witness", str(tmp_path / "seen"), "--log", str(older))
    assert (1, False) == (code, refused["ok"])
