"""Whether a stored content is still what its draft's text renders to: nothing may be approved that nobody wrote."""

from __future__ import annotations

from pydantic import ValidationError

from gatepost_contracts.canonical import sha256_hex
from gatepost_gatekeeper.case import Case, Row
from gatepost_mail.content import Content
from gatepost_mail.render import Answered, DraftText, Said, SenderIdentity, render

MACHINES = frozenset({"drafter", "agent"})


def renders_alike(case: Case) -> bool:
    """The digest is of the content, the row says the same as the content, and the text renders to it again.

    To whom it goes, its subject and its files are the author's choice; everything else must follow from the text and
    from the mailbox as it is now.
    """
    draft = case.draft
    if draft is None or draft["kind"] == "failed":
        return True
    text = str(draft["content"])
    if sha256_hex(text) != draft["content_sha256"]:
        return False
    try:
        content = Content.from_json(text)
    except ValidationError:
        return False
    if content.recipients != tuple(draft["recipients"]) or content.subject != draft["subject"]:
        return False
    if case.original is not None and content.in_reply_to not in {None, case.original["rfc_message_id"]}:
        return False
    # what an agent wrote says so where the mailbox discloses it; a person's edit may be either
    told = (True,) if draft["author_kind"] in MACHINES else (True, False)
    said = Said.of(case.original) if case.original is not None and case.message["quote_original"] else None
    return any(_rendered(draft, content, case.message, said, ai_written=ai).sha256 == content.sha256 for ai in told)


def _rendered(draft: Row, content: Content, mailbox: Row, said: Said | None, *, ai_written: bool) -> Content:
    wrote = DraftText(
        markdown=draft["markdown"], to=content.to, subject=content.subject, cc=content.cc, bcc=content.bcc,
        reply_to=content.reply_to, attachments=content.attachments, salt=content.salt,
    )  # fmt: skip
    sender = SenderIdentity(
        address=mailbox["address"], display_name=mailbox["display_name"], signature_block=mailbox["signature_block"],
        operator=mailbox["tenant_name"], physical_address=mailbox["physical_address"] or "",
        ai_disclosure=mailbox["ai_disclosure"],
    )  # fmt: skip
    answers = None
    if content.in_reply_to is not None:
        answers = Answered(content.in_reply_to, content.references, content.subject, said)
    return render(wrote, sender, answers, ai_written=ai_written)
