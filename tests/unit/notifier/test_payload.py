"""What a webhook says, and what it never says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_contracts.event import Event
from gatepost_contracts.webhook_words import QUARANTINED_BY_GATING, Naming
from gatepost_notifier.fanout import Subscription, delivery_id, kind, plan
from gatepost_notifier.payload import NULLABLE, Scene, body_of, flat

MBX, TEN, THR = "mbx_" + "1" * 26, "ten_" + "1" * 26, "thr_" + "1" * 26
OUT, IN, SUP = "msg_" + "2" * 26, "msg_" + "1" * 26, "sup_" + "1" * 26
AT = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
EXTRA: dict[str, dict[str, Any]] = {
    "email.received": {"raw_sha256": "0" * 64},
    "email.quarantined": {"reasons": ["spam"]},
    "email.reported": {"kind": "dsn", "about_message_id": OUT},
    "email.complained": {"suppression_id": SUP, "how": "arf"},
    "email.unsubscribed": {"suppression_id": SUP, "how": "link"},
    "email.drafted": {"revision": 1, "content_sha256": "0" * 64, "author": "prn_a", "author_kind": "agent"},
    "email.held": {"revision": 1, "content_sha256": "0" * 64, "reasons": ["gated"], "mode": "gated_send"},
    "email.released": {"revision": 1, "content_sha256": "0" * 64, "release": 1, "due_at": AT, "decided": True, "decided_by": "prn_r"},
    "email.rejected": {"revision": 1, "final": False, "decided_by": "prn_r"},
    "email.refused": {"reasons": ["suppressed"]},
    "email.delivered": {"deliveries": [OUT + ".1.1"], "release": 1, "via": "relay"},
    "email.deferred": {"deliveries": [OUT + ".1.1"], "release": 1, "code": 451, "next_attempt_at": AT},
    "email.bounced": {"deliveries": [OUT + ".1.1"], "release": 1, "code": 550, "enhanced": "5.1.1"},
    "email.uncertain": {"deliveries": [OUT + ".1.1"], "release": 1, "stage": "dot"},
    "mailbox.mode_changed": {"mode": "gated_all", "previous": "gated_send", "by": "prn_o", "why": "careful"},
    "mailbox.paused": {"pause_id": "pse_" + "1" * 26, "scope": "mailbox", "target": MBX, "by": "prn_o", "reason": "stop"},
    "mailbox.resumed": {"pause_id": "pse_" + "1" * 26, "scope": "mailbox", "target": MBX, "by": "prn_o"},
    "endpoint.disabled": {"endpoint_id": "whk_" + "1" * 26, "reason": "gone"},
    "endpoint.exhausted": {"endpoint_id": "whk_" + "1" * 26, "webhook_delivery_id": "whd_1", "about_event_id": "x"},
}  # fmt: skip
BARE = {
    "header_from": None, "from_name": None, "to_addresses": [], "subject": "", "text": None, "has_attachments": False,
    "tags": {}, "metadata": {}, "category": None, "answers": None, "in_reply_to_id": None, "rfc_message_id": None,
    "thread_id": THR, "mailbox_id": MBX, "revision": 0,
}  # fmt: skip
INBOUND = BARE | {
    "id": IN, "direction": "inbound", "header_from": "ada@customer.example", "to_addresses": ["support@shop.example"],
    "subject": "RE: Fwd: Where is it?", "text": "Hello, where is it?", "metadata": {"n": 1.5},
}  # fmt: skip
OUTBOUND = BARE | {"id": OUT, "direction": "outbound", "subject": "Re: Where is it?", "answers": IN, "revision": 1}
REVISION = {"n": 1, "markdown": "On its **way**.", "subject": "Re: Where is it?",
            "content": json.dumps({"to": ["ada@customer.example"]})}  # fmt: skip


def event_of(event_type: str, **more: Any) -> Event:
    model = EVENTS_BY_TYPE[event_type]
    outbound = event_type not in {"email.received", "email.quarantined", "email.reported"}
    subject = OUT if outbound else IN
    return model.model_validate({
        "event_id": f"{subject}.4.{event_type}", "occurred_at": AT, "tenant_id": TEN, "mailbox_id": MBX,
        "subject_id": subject, "seq": 4, "message_id": subject, "thread_id": THR, **EXTRA.get(event_type, {}), **more,
    })  # fmt: skip


def scene_of(event: Event, **more: Any) -> Scene:
    message = OUTBOUND if getattr(event, "message_id", None) == OUT else INBOUND
    parts: dict[str, Any] = {
        "mailbox": {"id": MBX, "address": "support@shop.example", "mode": "gated_send"}, "message": message,
        "thread": {"id": THR, "external_id": "zd-123", "metadata": {"k": "v"}}, "mode": "",
    }  # fmt: skip
    if message is OUTBOUND:
        parts |= {"revision": REVISION, "original": INBOUND}
    return Scene(event=event, kind=kind(event), **(parts | more))


@pytest.mark.parametrize("event_type", sorted(EVENTS_BY_TYPE))
@pytest.mark.parametrize("bare", [False, True])
def test_no_field_is_null(event_type: str, bare: bool) -> None:
    """Receivers index strings, lists and maps; with every row missing too."""
    event = event_of(event_type)
    scene = Scene(event=event, kind=kind(event)) if bare else scene_of(event)

    content = flat(scene, "whd_1", Naming("x", "x", "x"))

    assert not [name for name, value in content.items() if value is None and name not in NULLABLE]
    assert isinstance(content.get("metadata", {}), dict)


@pytest.mark.parametrize("event_type", [t for t in sorted(EVENTS_BY_TYPE) if t.startswith("email.")])
def test_all_aliases_say_the_same(event_type: str) -> None:
    """One value, every name the guides look for, and all of it again under data."""
    event = event_of(event_type)
    content = json.loads(body_of(scene_of(event), "whd_1", Naming("x", "x", "y"), is_thin=False, may_see_gated=False))

    for names in (
        ("from", "sender", "from_address"), ("to", "to_addresses"), ("message_id", "email_id"), ("timestamp", "created_at"),
        ("body_text", "markdown", "text_body", "body"), ("type", "event_type"),
    ):  # fmt: skip
        assert len({json.dumps(content[name]) for name in names}) == 1, names
    assert content["data"] == {name: value for name, value in content.items() if name != "data"}
    assert ("whd_1", event_type, "zd-123") == (content["id"], content["canonical"], content["thread_id"])


def test_an_inbound_mail() -> None:
    """What the inbound handlers of both guides read."""
    content = flat(scene_of(event_of("email.received")), "whd_1", Naming("inbound", "inbound", "inbound"))

    assert (
        content["from"], content["subject"], content["body_text"],
    ) == ("ada@customer.example", "Where is it?", "Hello, where is it?")  # fmt: skip
    assert (content["original_message_id"], content["in_reply_to_id"], content["metadata"]) == (IN, None, {"n": 1.5})


def test_a_held_draft() -> None:
    """message_id is the pending mail; the original stands beside it."""
    content = flat(scene_of(event_of("email.held")), "whd_1", Naming("x", "x", "x"))

    assert (
        content["message_id"], content["original_message_id"], content["draft_body"], content["reasons"],
    ) == (OUT, IN, "On its **way**.", ["gated"])  # fmt: skip
    assert (content["from"], content["to"]) == ("support@shop.example", ["ada@customer.example"])
    assert content["original"]["subject"] == "Where is it?"


def test_a_mail_without_text_says_so() -> None:
    """Model interfaces refuse empty messages."""
    scene = scene_of(event_of("email.received"), message=INBOUND | {"text": " \n"})

    assert flat(scene, "whd_1", Naming("x", "x", "x"))["body_text"].strip()


def test_a_long_body_is_cut_between_characters() -> None:
    """64 KiB, and it says so."""
    scene = scene_of(event_of("email.received"), message=INBOUND | {"text": "ü" * 40_000})
    content = flat(scene, "whd_1", Naming("x", "x", "x"))

    assert (content["body_truncated"], len(content["body_text"].encode())) == (True, 65_536)


@pytest.mark.parametrize(("sees", "subject"), [(True, "Where is it?"), (False, "")])
def test_gated_inbound_mail_is_shown_to_oversight_only(sees: bool, subject: str) -> None:
    """No person has let it through yet."""
    event = event_of("email.quarantined", reasons=["inbound_gating"])
    content = flat(scene_of(event), "whd_1", Naming("x", "x", "x"), may_see_gated=sees)

    assert kind(event) == QUARANTINED_BY_GATING
    assert (subject, sees) == (content["subject"], "Hello" in content["body"])


def test_thin_sends_ids_only() -> None:
    """For receivers that must not store mail."""
    scene = scene_of(event_of("email.held"))
    content = json.loads(body_of(scene, "whd_1", Naming("x", "x", "x"), is_thin=True, may_see_gated=True))

    assert content["message_id"] == OUT
    assert not {"subject", "body", "draft_body", "from", "to", "original", "metadata"} & set(content)


def subscriber(*events: str, mailbox: str | None = None, tenant: str = TEN, source: str = "api") -> Subscription:
    return Subscription("whk_" + "1" * 26, tenant, mailbox, source, events, is_thin=False)


def test_a_repeat_plans_the_same_ids() -> None:
    """That is how the same event twice adds nothing."""
    event = event_of("email.received")

    assert plan(event, [subscriber("inbound", "check_inbox")]) == plan(event, [subscriber("inbound", "check_inbox")])
    assert len({one.id for one in plan(event, [subscriber("inbound", "check_inbox")])}) == 2
    assert delivery_id("a", "b", "c") != delivery_id("a", "b", "d")


def test_only_those_concerned_hear_it() -> None:
    """Another tenant's, and another mailbox's, do not."""
    event = event_of("email.received")

    assert plan(event, [subscriber("*", mailbox=MBX)])
    assert not plan(event, [subscriber("*", tenant="ten_" + "9" * 26)])
    assert not plan(event, [subscriber("*", mailbox="mbx_" + "9" * 26)])
    assert not plan(event.model_copy(update={"mailbox_id": "mbx_system"}), [subscriber("*")])


def test_the_oversight_url_hears_only_what_a_person_released() -> None:
    """A release by the mode alone is no decision."""
    oversight = subscriber(source="mailbox_oversight")

    assert plan(event_of("email.released"), [oversight])
    assert not plan(event_of("email.released", decided=False), [oversight])
    assert not plan(event_of("email.received"), [oversight])
    assert plan(event_of("email.held"), [oversight])
