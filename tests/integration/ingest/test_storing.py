"""What is in the database after a 250, and what never is."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from gatepost_contracts.canonical import salted
from gatepost_contracts.email import EmailQuarantined, EmailReceived, EmailReported, EmailUnsubscribed
from gatepost_mail import tokens
from support.mailroom import KEY, TENANT


async def eventually(look: Any, what: str) -> Any:
    for _ in range(200):
        if found := look():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not come")


async def test_a_250_means_stored(ingest: Any) -> None:
    """Bytes, headers, text, thread and the record, in one step; the event follows."""
    box = ingest.room.mailbox()
    raw = ingest.mail(box["address"])
    code, reply = await ingest.send(raw, box["address"])
    (mail,) = ingest.stored(box)
    thread = ingest.room.rows(f"SELECT * FROM thread WHERE id = '{mail['thread_id']}'")[0]
    kept = ingest.room.sql(f"SELECT sha256(bytes) FROM raw WHERE mailbox_id = '{box['id']}'")[0][0]
    event = await eventually(lambda: [e for e in ingest.room.events if e.mailbox_id == box["id"]], "the event")

    assert code == 250
    assert mail["id"].encode() in reply
    assert (mail["state"], mail["version"], mail["last_row"]) == ("received", 1, "T01")
    assert mail["raw_sha256"] == hashlib.sha256(raw).hexdigest() == kept.removeprefix("\\x")
    assert (mail["header_from"], mail["from_name"]) == ("ada@customer.example", "Ada Customer")
    assert mail["automatic"] == []
    assert {name: mail["auth"][name] for name in ("spf", "dkim", "dmarc")} == dict.fromkeys(
        ("spf", "dkim", "dmarc"), "none"
    )
    assert mail["auth"]["verified_domain"] is None
    assert thread["head"] == mail["id"]
    assert "ada@customer.example" in thread["participants"]
    assert isinstance(event[0], EmailReceived)
    assert event[0].raw_sha256 == salted(mail["salt"], mail["raw_sha256"])


async def test_the_same_bytes_again_are_the_same_mail(ingest: Any) -> None:
    """A peer that lost our 250, also many at once."""
    box = ingest.room.mailbox()
    raw = ingest.mail(box["address"])
    replies = await asyncio.gather(*(ingest.send(raw, box["address"]) for _ in range(8)))
    replies.append(await ingest.send(raw, box["address"]))

    assert {code for code, _ in replies} == {250}
    assert len({reply for _, reply in replies}) == 1
    assert len(ingest.stored(box)) == 1
    assert len(ingest.room.rows(f"SELECT id FROM thread WHERE mailbox_id = '{box['id']}'")) == 1


async def test_one_data_for_three_mailboxes_is_three_mails(ingest: Any) -> None:
    """Several addresses of one mailbox are one."""
    boxes = [ingest.room.mailbox() for _ in range(3)]
    addresses = [box["address"] for box in boxes] + [boxes[0]["address"].replace("@", "+tag@")]
    code, _ = await ingest.send(ingest.mail(addresses[0]), *addresses)

    assert code == 250
    assert [len(ingest.stored(box)) for box in boxes] == [1, 1, 1]


async def test_gated_all_shows_agents_nothing(ingest: Any) -> None:
    box = ingest.room.mailbox("gated_all")
    await ingest.send(ingest.mail(box["address"]), box["address"])
    (mail,) = ingest.stored(box)
    (event,) = await eventually(lambda: [e for e in ingest.room.events if e.mailbox_id == box["id"]], "the event")

    assert (mail["state"], mail["quarantined_for"]) == ("quarantined", ["gated_all"])
    assert mail["expires_at"] is not None
    assert isinstance(event, EmailQuarantined)
    assert event.reasons == ("gated_all",)


async def test_a_mode_that_changed_since_the_look_up_counts(ingest: Any) -> None:
    """The step asks the live mailbox; a remembered mode lets nothing through."""
    box = ingest.room.mailbox()
    find = ingest.answers._directory.find

    async def stale(address: str) -> Any:
        found = await find(address)
        ingest.room.sql(f"UPDATE mailbox SET mode = 'gated_all' WHERE id = '{box['id']}'")
        return found

    ingest.answers._directory.find = stale
    code, _ = await ingest.send(ingest.mail(box["address"]), box["address"])

    assert code == 250
    assert ingest.stored(box)[0]["state"] == "quarantined"


async def test_the_customers_next_mail_joins_and_a_stranger_does_not(ingest: Any) -> None:
    """Naming a thread is not enough: the sender must be on it."""
    box = ingest.room.mailbox()
    await ingest.send(ingest.mail(box["address"], message_id="<one@customer.example>"), box["address"])
    first = ingest.stored(box)[0]
    ours = ingest.room.sent(box, first["thread_id"], first["id"], "ada@customer.example")
    ours_id = tokens.message_id_for(KEY, ours, first["thread_id"], "demo.test")
    forged = ours_id.replace(ours.lower()[-4:], "0000")

    for text, sender, named in (
        ("a", "Ada <ada@customer.example>", ours_id),
        ("b", "Ada <ada@customer.example>", "<one@customer.example>"),
        ("c", "Ada Customer <ada@evil.example>", ours_id),
        ("d", "Eve <eve@evil.example>", "<one@customer.example>"),
        ("e", "Ada <ada@customer.example>", forged),
    ):
        await ingest.send(
            ingest.mail(box["address"], text, sender=sender, In_Reply_To=named, References=named), box["address"]
        )
    mails = {m["text"].strip(): m for m in ingest.stored(box)[1:]}
    threads = {t["id"]: t for t in ingest.room.rows(f"SELECT * FROM thread WHERE mailbox_id = '{box['id']}'")}

    assert mails["a"]["thread_id"] == mails["b"]["thread_id"] == first["thread_id"]
    assert mails["a"]["in_reply_to_id"] == ours
    for stranger in ("c", "d"):
        assert mails[stranger]["thread_id"] != first["thread_id"]
        assert threads[mails[stranger]["thread_id"]]["related_thread_id"] == first["thread_id"]
    assert "lookalike" in mails["c"]["flags"]
    assert threads[mails["e"]["thread_id"]]["related_thread_id"] is None


async def test_a_plus_address_names_its_thread(ingest: Any) -> None:
    box = ingest.room.mailbox()
    await ingest.send(ingest.mail(box["address"]), box["address"])
    first = ingest.stored(box)[0]
    plus = tokens.plus_address(KEY, box["address"], first["thread_id"])
    await ingest.send(ingest.mail(plus, "again"), plus)
    await ingest.send(ingest.mail(plus, "who", sender="x@evil.example"), plus)
    _, again, stranger = ingest.stored(box)

    assert again["thread_id"] == first["thread_id"]
    assert stranger["thread_id"] != first["thread_id"]


async def test_threads_of_another_mailbox_are_not_joined(ingest: Any) -> None:
    one, two = ingest.room.mailbox(), ingest.room.mailbox()
    await ingest.send(ingest.mail(one["address"], message_id="<x1@customer.example>"), one["address"])
    named = "<x1@customer.example>"
    await ingest.send(ingest.mail(two["address"], In_Reply_To=named), two["address"])

    assert ingest.stored(one)[0]["thread_id"] != ingest.stored(two)[0]["thread_id"]


async def test_loops_and_our_own_mail_are_kept_aside(ingest: Any) -> None:
    """More than 25 hops; our own Message-ID coming back; our own address as the author."""
    box = ingest.room.mailbox()
    own = ours(ingest, box)
    hops = b"".join(b"Received: by hop%d.example\r\n" % n for n in range(26))
    await ingest.send(hops + ingest.mail(box["address"], "hops"), box["address"])
    await ingest.send(ingest.mail(box["address"], "own", message_id=own), box["address"])
    await ingest.send(ingest.mail(box["address"], "self", sender=box["address"]), box["address"])
    mails = ingest.stored(box)

    assert [m["state"] for m in mails] == ["quarantined"] * 3
    assert [m["quarantined_for"] for m in mails] == [["loop"], ["own_message"], ["own_address"]]


async def test_mail_from_one_mailbox_of_ours_to_another_is_mail_like_any_other(ingest: Any) -> None:
    """It carries a Message-ID of ours, and comes in over SMTP; only where it was sent from it is a loop."""
    one, two = ingest.room.mailbox(), ingest.room.mailbox()
    raw = ingest.mail(two["address"], sender=one["address"], message_id=ours(ingest, one))
    await ingest.send(raw, two["address"], sender=one["address"])
    (mail,) = ingest.stored(two)

    assert (mail["state"], mail["quarantined_for"], mail["automatic"]) == ("received", [], [])


def ours(ingest: Any, box: dict[str, str]) -> str:
    """The Message-ID of a mail that this mailbox sent."""
    sent = ingest.room.sent(box, "thr_" + "0" * 26, "msg_" + "0" * 26, "ada@customer.example")
    return tokens.message_id_for(KEY, sent, "thr_" + "0" * 26, "demo.test")


async def test_automatic_mail_says_why_it_is_not_answered(ingest: Any) -> None:
    box = ingest.room.mailbox()
    await ingest.send(ingest.mail(box["address"], Auto_Submitted="auto-replied"), box["address"])
    await ingest.send(ingest.mail(box["address"], List_Id="<l.example>"), box["address"])
    await ingest.send(ingest.mail(box["address"]), box["address"], sender="")
    mails = ingest.stored(box)

    assert [m["state"] for m in mails] == ["received"] * 3
    assert "auto_submitted" in mails[0]["automatic"]
    assert "list" in mails[1]["automatic"]
    assert "null_sender" in mails[2]["automatic"]


def bounce(box: dict[str, str], about: str, recipient: str, action: str = "failed") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\r\nTo: {box['address']}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: {action}\r\n"
        f"Status: 5.1.1\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {about}\r\n\r\n--b--\r\n"
    ).encode()


async def test_a_bounce_speaks_of_mail_that_we_sent(ingest: Any) -> None:
    """Proven by our Message-ID and the recipient; anything else is a note."""
    box = ingest.room.mailbox()
    await ingest.send(ingest.mail(box["address"]), box["address"])
    first = ingest.stored(box)[0]
    ours = ingest.room.sent(box, first["thread_id"], first["id"], "ada@customer.example")
    ours_id = tokens.message_id_for(KEY, ours, first["thread_id"], "demo.test")
    await ingest.send(bounce(box, ours_id, "ada@customer.example"), box["address"], sender="")
    await ingest.send(bounce(box, ours_id, "somebody@else.example"), box["address"], sender="")
    await ingest.send(bounce(box, "<made-up@demo.test>", "ada@customer.example"), box["address"], sender="")

    def reported() -> list[EmailReported] | None:
        found = [e for e in ingest.room.events if isinstance(e, EmailReported) and e.mailbox_id == box["id"]]
        return found if len(found) == 3 else None

    proven, wrong, unknown = await eventually(reported, "the reports")
    assert (proven.kind, proven.action, proven.status_code, proven.proven) == ("dsn", "failed", "5.1.1", True)
    assert (proven.about_message_id, proven.about_delivery_id) == (ours, f"{ours}.1.1")
    assert (wrong.proven, wrong.about_message_id) == (False, ours)
    assert (unknown.proven, unknown.about_message_id) == (False, None)
    assert (
        ingest.room.rows(f"SELECT 1 FROM suppression WHERE tenant_id = '{TENANT}' AND address = 'ada@customer.example'")
        == []
    )
    assert all(m["automatic"] for m in ingest.stored(box)[1:])


async def test_an_opt_out_suppresses_only_its_author(ingest: Any) -> None:
    """A reply that says stop, from somebody whom we wrote to; told once."""
    box = ingest.room.mailbox()
    await ingest.send(ingest.mail(box["address"], sender="olga@customer.example"), box["address"])
    first = ingest.stored(box)[0]
    ours = ingest.room.sent(box, first["thread_id"], first["id"], "olga@customer.example")
    ours_id = tokens.message_id_for(KEY, ours, first["thread_id"], "demo.test")
    stranger = ingest.mail(box["address"], "unsubscribe", sender="x@evil.example", In_Reply_To=ours_id)
    await ingest.send(stranger, box["address"])
    nobody = ingest.room.rows(f"SELECT address FROM suppression WHERE mailbox_id = '{box['id']}'")
    wish = ingest.mail(box["address"], "unsubscribe", sender="olga@customer.example", In_Reply_To=ours_id)
    await ingest.send(wish, box["address"])
    await ingest.send(wish, box["address"])
    suppressed = ingest.room.rows(f"SELECT address, reason FROM suppression WHERE mailbox_id = '{box['id']}'")
    told = await eventually(lambda: [e for e in ingest.room.events if isinstance(e, EmailUnsubscribed)], "the event")

    assert nobody == []
    assert suppressed == [{"address": "olga@customer.example", "reason": "unsubscribed"}]
    assert [(e.how, e.about_message_id) for e in told] == [("reply", ours)]
    assert "opt_out" in ingest.stored(box)[-1]["automatic"]


async def test_the_mailto_of_list_unsubscribe_counts(ingest: Any) -> None:
    """Its subject carries our token; a made-up one does nothing."""
    box = ingest.room.mailbox()
    token = tokens.unsubscribe_token(KEY, box["id"], "gone@customer.example")
    for subject in (f"unsubscribe {token[:-3]}aaa", f"unsubscribe {token}"):
        await ingest.send(ingest.mail(box["address"], " ", subject=subject), box["address"])

    suppressed = ingest.room.rows(f"SELECT address FROM suppression WHERE mailbox_id = '{box['id']}'")
    assert suppressed == [{"address": "gone@customer.example"}]


async def test_ugly_mail_is_stored_all_the_same(ingest: Any) -> None:
    """Nothing is refused because it cannot be read well."""
    box = ingest.room.mailbox()
    ugly = [
        b"", b"no headers at all", b"Subject: =?x?y?z?=\r\nFrom: <[\r\n\r\n\x00\xff\xfe", b"A" * 100_000,
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x\r\n--x",
        b"From: (((((@b.example\r\nSubject: \xed\xa0\x80\x00\r\nDate: never\r\n\r\nx",
        b"Content-Type: text/html; charset=nope\r\n\r\n<b>hi<script>x</script>",
    ]  # fmt: skip
    codes = [(await ingest.send(raw, box["address"]))[0] for raw in ugly]

    assert codes == [250] * len(ugly)
    assert len(ingest.stored(box)) == len(ugly)


async def test_no_database_is_a_451(ingest: Any) -> None:
    """The peer keeps the mail; afterwards the same bytes are taken."""
    box = ingest.room.mailbox()
    raw = ingest.mail(box["address"])
    real = ingest.intake._store

    class Away:
        async def fetch(self, *_: Any) -> Any:
            raise ConnectionError

        async def insert(self, *_: Any, **__: Any) -> Any:
            raise ConnectionError

    ingest.intake._store = Away()
    code, _ = await ingest.send(raw, box["address"])
    ingest.intake._store = real
    again, _ = await ingest.send(raw, box["address"])

    assert (code, again) == (451, 250)


async def test_strangers_find_no_system_mailbox(ingest: Any) -> None:
    code, reply = await ingest.send(b"x", "system@gatepost.invalid")

    assert (code, reply[:5]) == (550, b"5.7.1")
