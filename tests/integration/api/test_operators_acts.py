"""What only an operator or a person does through the API: holds, a person's data, an uncertain mail, an event once more."""

from __future__ import annotations

from typing import Any

from support.doors import Doors, numbers
from support.installation import eventually


def test_a_hold_is_placed_listed_and_lifted(doors: Doors, box: dict[str, Any]) -> None:
    placed = doors["operator"].post(
        "/v1/legal-holds", json={"scope": "mailbox", "target": box["id"], "reason": "a dispute"}
    )
    listed = doors["operator"].get("/v1/legal-holds").json()["holds"]
    refused = doors["agent"].post("/v1/legal-holds", json={"scope": "mailbox", "target": box["id"]})
    hold_id = placed.json()["id"]
    lifted = doors["operator"].delete(f"/v1/legal-holds/{hold_id}")

    assert placed.status_code == 201, placed.text
    assert hold_id in {hold["id"] for hold in listed}
    assert refused.status_code == 403
    assert lifted.status_code == 200
    assert hold_id not in {hold["id"] for hold in doors["operator"].get("/v1/legal-holds").json()["holds"]}
    assert doors["operator"].delete(f"/v1/legal-holds/{hold_id}").status_code == 404


def test_a_hold_on_too_many_letters_is_refused(doors: Doors) -> None:
    operator = doors["operator"]

    assert operator.delete(f"/v1/legal-holds/{'x' * 41}").status_code == 400
    assert operator.post("/v1/legal-holds", json={"scope": "thread", "target": "x" * 321}).status_code == 400


def test_what_a_person_wrote_is_shown_and_erased_with_a_certificate(
    doors: Doors, box: dict[str, Any], gatepost: Any
) -> None:
    """The mails of one address, by an operator; afterwards their text is gone and the log still has its records."""
    address = f"forget{next(numbers)}@person.example"
    rfc = gatepost.write(to=box["address"], sender=address, subject="Forget me", text="My secret wish")

    def stored() -> dict[str, Any] | None:
        page = doors["operator"].get(f"/v1/mailboxes/{box['id']}/emails").json()["emails"]
        return next((mail for mail in page if mail["rfc_message_id"] == rfc), None)

    mail = eventually(stored, "the mail")
    shown = doors["operator"].get(f"/v1/people/{address}").json()
    refused = doors["agent"].delete(f"/v1/people/{address}")
    erased = doors["operator"].delete(f"/v1/people/{address}")

    assert mail["id"] in str(shown["mails"])
    assert refused.status_code == 403
    assert erased.status_code == 200, erased.text
    assert erased.json()["erased"] >= 1
    assert erased.json()["certificate"]
    assert "secret wish" not in doors["operator"].get(f"/v1/emails/{mail['id']}").text
    assert doors["operator"].get("/v1/audit-log", params={"resource_id": mail["id"]}).json()["entries"]


def test_only_an_uncertain_mail_is_resolved(doors: Doors, box: dict[str, Any]) -> None:
    mail = doors.held(box, subject=f"certain {next(numbers)}")
    body = {"outcome": "delivered", "note": "the recipient said so"}
    by_agent = doors["agent"].post(f"/v1/emails/{mail['id']}/resolve", json=body)
    by_person = doors["reviewer"].post(f"/v1/emails/{mail['id']}/resolve", json=body)
    without = doors["reviewer"].post(f"/v1/emails/{mail['id']}/resolve", json={"outcome": "delivered"})

    assert by_agent.status_code == 403
    assert by_person.status_code == 409, by_person.text
    assert without.status_code == 400


def test_an_event_is_delivered_once_more(doors: Doors, box: dict[str, Any]) -> None:
    """To every webhook that got it, with the same id; an event nobody subscribed to has nobody to go to."""
    hook = doors["operator"].post(
        "/v1/webhooks", json={"url": "http://127.0.0.1:9/gone", "events": ["email.held"], "mailbox": box["id"]}
    ).json()  # fmt: skip
    mail = doors.held(box, subject=f"told twice {next(numbers)}")

    def delivery() -> dict[str, Any] | None:
        found = (
            doors["operator"]
            .get("/v1/webhook-deliveries", params={"webhook_id": hook["id"], "message_id": mail["id"]})
            .json()
        )
        return next(iter(found["deliveries"]), None)

    first = eventually(delivery, "the delivery")
    again = doors["operator"].post(f"/v1/events/{first['event_id']}/redeliver")
    alone = next(
        event
        for event in doors["operator"].get("/v1/events", params={"types": "email.drafted"}).json()["events"]
        if event["id"]
    )
    nobody = doors["operator"].post(f"/v1/events/{alone['id']}/redeliver")
    doors["operator"].delete(f"/v1/webhooks/{hook['id']}")

    assert again.status_code == 202
    assert first["id"] in {
        d["id"] for d in again.json()["deliveries"]
    }  # webhooks of the whole account may have got it, too
    assert nobody.status_code == 202
    assert hook["id"] not in nobody.text
    assert doors["agent"].post(f"/v1/events/{first['event_id']}/redeliver").status_code == 403
    assert doors["operator"].post("/v1/events/msg_1.1.email.held/redeliver").status_code == 404


def test_what_would_be_sent_again_is_counted_first(doors: Doors) -> None:
    """Of every webhook of the account; a dry run sends nothing, and a state that has no again is refused."""
    dry = doors["operator"].post("/v1/webhook-deliveries/redeliver", json={"dry_run": True, "status": "failed"})
    wrong = doors["operator"].post("/v1/webhook-deliveries/redeliver", json={"status": "pending"})
    agent = doors["agent"].post("/v1/webhook-deliveries/redeliver", json={"dry_run": True})

    assert (dry.status_code, dry.json()["dry_run"]) == (200, True)
    assert dry.json()["count"] >= 0
    assert (wrong.status_code, agent.status_code) == (400, 403)
