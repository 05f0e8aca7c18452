"""Commands of every day, in this process: mail of the past from folders, events as they come, keys of a domain, JSON."""

from __future__ import annotations

import asyncio
import json
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import nats

from support.command import Done, gatepost_command
from support.doors import numbers
from support.installation import eventually


def run(gatepost: Any, *words: str, code: int = 0) -> Done:
    done = gatepost_command(*words, "--data", str(gatepost.data))
    assert done.exit_code == code, done.output
    return done


def old_mail(subject: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ada@old.example", "us@old.example", subject
    mail["Message-ID"], mail["Date"] = f"<{next(numbers)}@old.example>", "Tue, 03 Mar 2020 10:00:00 +0000"
    mail.set_content("From long ago.")
    return mail.as_bytes()


def subjects(gatepost: Any) -> set[str]:
    return {m["subject"] for m in json.loads(run(gatepost, "inbox", "--limit", "100", "--json", "--mailbox", gatepost.mailbox["address"]).stdout)["messages"]}  # fmt: skip


def test_a_maildir_and_single_mails_are_brought_in(gatepost: Any, tmp_path: Path) -> None:
    """What was read and what is new; single files and folders of them."""
    names = [f"old {kind} {next(numbers)}" for kind in ("read", "new", "single")]
    for folder, name in (("cur", names[0]), ("new", names[1])):
        (tmp_path / "box" / folder).mkdir(parents=True)
        (tmp_path / "box" / folder / "1").write_bytes(old_mail(name))
    (tmp_path / "one.eml").write_bytes(old_mail(names[2]))
    address = gatepost.mailbox["address"]
    run(gatepost, "import", "maildir", str(tmp_path / "box"), "--mailbox", address)
    run(gatepost, "import", "eml", str(tmp_path / "one.eml"), "--mailbox", address)

    assert set(names) <= subjects(gatepost)
    assert "is no maildir" in run(gatepost, "import", "maildir", str(tmp_path), "--mailbox", address, code=2).output


def test_the_last_events_of_a_kind_are_found_among_all_others(gatepost: Any) -> None:
    """`--last` counts what was asked for, not everything that happened since."""
    box = gatepost.mailbox["address"]
    for _ in range(2):
        rfc = gatepost.write(subject=f"heard {next(numbers)}")
        eventually(lambda: gatepost.inbound(rfc), "the mail")  # noqa: B023 (called at once)
    body = {"to": "x@tail.test", "subject": "after", "body": f"b {next(numbers)}", "from": box}
    sent = gatepost.call("POST", "/send_email", body)
    eventually(lambda: gatepost.call("GET", f"/v1/emails/{sent['id']}")["status"] == "pending_send_approval", "held")
    lines = run(gatepost, "events", "tail", "email.received", "--last", "2", "--count", "2").stdout.splitlines()

    assert [json.loads(line)["subject"].rpartition(".")[0] for line in lines] == ["email.received"] * 2


def test_the_keys_of_a_domain_change_in_steps(gatepost: Any) -> None:
    """The next keys are made and named; what the DNS does not have is not signed with."""
    domain = f"d{next(numbers)}.example"
    run(gatepost, "domains", "add", domain)
    told = json.loads(run(gatepost, "domains", "rotate", domain, "next", "--json").stdout)
    refused = run(gatepost, "domains", "rotate", domain, "switch", code=1)

    assert {key["use"] for key in told["keys"]} >= {"next"} or len(told["keys"]) > 1
    assert refused.stderr
    assert "Traceback" not in refused.output
    run(gatepost, "domains", "remove", domain)


def test_what_a_command_did_is_told_as_json(gatepost: Any) -> None:
    """For programs: the service's own answer."""
    address = f"json{next(numbers)}@guide.test"
    gatepost.call("POST", "/v1/mailboxes", {"address": address}, key="operator")
    paused = json.loads(run(gatepost, "pause", "--mailbox", address, "--json").stdout)
    resumed = json.loads(run(gatepost, "resume", paused["id"], "--json").stdout)
    mode = json.loads(run(gatepost, "mode", address, "--json").stdout)
    allowed = json.loads(run(gatepost, "allow", "add", address, "*@p.example", "--json").stdout)
    suppressed = json.loads(run(gatepost, "suppression", "add", f"x{next(numbers)}@p.example", "--json").stdout)

    assert paused["id"].startswith("pse_")
    assert resumed["id"] == paused["id"]
    assert (mode["address"], mode["oversight_mode"]) == (address, "gated_send")
    assert allowed["pattern"] == "*@p.example"
    assert suppressed["address"].endswith("@p.example")


def test_the_doctor_knocks_at_the_smtp_port(gatepost: Any) -> None:
    found = {f["name"]: f for f in json.loads(run(gatepost, "doctor", "--json").stdout)}

    assert found["smtp port"]["ok"] is True
    assert "220" in found["smtp port"]["found"]


def test_a_reader_of_one_mailbox_gets_a_durable_and_a_user(gatepost: Any) -> None:
    name = f"reader_{next(numbers)}"
    made = run(gatepost, "streams", "add-reader", name, "--mailbox", gatepost.mailbox["id"])
    wrong = run(gatepost, "streams", "add-reader", name, "--mailbox", "support@demo.test", code=2)

    async def there() -> bool:
        client = await nats.connect(gatepost.info["nats_url"])
        try:
            found = await client.jetstream().consumer_info("EVENTS", name)
            return bool(found.name == name and await client.jetstream().delete_consumer("EVENTS", name))
        finally:
            await client.close()

    assert asyncio.run(there())
    assert name in made.stdout
    assert "mailbox's id" in wrong.output


def test_an_agent_asks_for_a_recipient_to_be_listed(gatepost: Any) -> None:
    """A code goes to the oversight address; the list stays as it is."""
    address = f"ask{next(numbers)}@guide.test"
    gatepost.call("POST", "/v1/mailboxes", {"address": address}, key="operator")
    asked = run(gatepost, "allow", "ask", address, "*@q.example")

    assert "***@" in asked.stdout
    assert json.loads(run(gatepost, "allow", "list", address, "--json").stdout) == []
