"""What people decide on one mail: approve, edit, reject, admit, discard, withdraw, and say what became of it.

The row is chosen from the mail as it was read; whether it may move is decided by the step, on the facts of that moment.
A repeat of the command gets its first result from the step itself; the same person deciding the same again gets it too.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from gatepost_contracts.canonical import salted
from gatepost_contracts.commands import Cancel, CommandReply, Decide, Resolve
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper import said
from gatepost_gatekeeper.answers import forbidden, not_found, refusal, refused
from gatepost_gatekeeper.caller import Caller, caller_of
from gatepost_gatekeeper.case import Case, Row, gather
from gatepost_gatekeeper.choose import ACTIONS, RELEASING, is_same, role_for, row_for
from gatepost_gatekeeper.facts import effective_mode
from gatepost_gatekeeper.grants import Grants
from gatepost_gatekeeper.quality import Quality
from gatepost_gatekeeper.receipts import Receipts
from gatepost_gatekeeper.rerender import renders_alike
from gatepost_gatekeeper.steps import Moved, Stayed, Steps
from gatepost_oversight.evidence import words_changed

log = structlog.get_logger()
TRIES = 3


class Decisions:
    """Carries out what a person says about one mail."""

    def __init__(
        self, steps: Steps, grants: Grants, quality: Quality | None = None, receipts: Receipts | None = None
    ) -> None:
        self._steps, self._store, self._grants, self._receipts = steps, steps.store, grants, receipts
        self._quality = quality or Quality(steps)

    async def decide(self, command: Decide) -> CommandReply:
        """Approve or reject."""
        caller = await caller_of(self._store, command)
        if caller is None:
            return unknown_caller()
        for _ in range(TRIES):
            case = await self._case(caller, command.message_id, command.edit_revision)
            if case is None:
                return not_found()
            if command.edit_revision is not None and (case.draft is None or case.draft["kind"] != "edit"):
                return not_found()
            reply = await self._decide_once(command, caller, case)
            if reply is not None:
                return reply
        return refusal("stale_revision", "The mail keeps changing.", "Look at it again.", id=command.message_id)

    async def cancel(self, command: Cancel) -> CommandReply:
        """Withdraw what is not on the wire."""
        caller = await caller_of(self._store, command)
        if caller is None:
            return unknown_caller()
        for _ in range(TRIES):
            case = await self._case(caller, command.message_id)
            if case is None or case.message["direction"] != "outbound":
                return not_found()
            role = role_for("T20", caller.roles)
            if role is None:
                return forbidden("send")
            step = await self._steps.of(
                caller.as_actor(role), "T20", command.message_id, command_id=command.command_id,
                data={"by": caller.principal_id, "role": role.value}, reason="cancelled",
            )  # fmt: skip
            if isinstance(step, Moved):
                return await self._done(case, step)
            if step.failed:
                failed = tuple("OFF_WIRE" if name == "STATE" else name for name in step.failed)
                reply = refused(failed, case.message)
                if "STATE" in step.failed:
                    error = f"It cannot be withdrawn: it is {case.message['state']}."
                    return reply.model_copy(update={"error": error, "hint": "Read the mail to see what became of it."})
                return reply
        return refusal("not_cancellable", "The mail keeps changing.", "Look at it again.", id=command.message_id)

    async def resolve(self, command: Resolve) -> CommandReply:
        """Say what became of deliveries that nobody can know about."""
        caller = await caller_of(self._store, command)
        if caller is None:
            return unknown_caller()
        case = await self._case(caller, command.message_id)
        if case is None:
            return not_found()
        row = "T33" if command.outcome == "delivered" else "T32"
        role = role_for(row, caller.roles)
        if role is None:
            return forbidden("oversight")
        if (first := await self._first_result(command.command_id, case)) is not None:
            return first
        deliveries = await self._store.fetch("deliveries", command.message_id, case.message["release"])
        open_ones = [d for d in deliveries if d["state"] == "uncertain" and command.delivery_id in {None, d["id"]}]
        last: Moved | Stayed = Stayed(("STATE",))
        for n, delivery in enumerate(open_ones):
            last = await self._resolve_one(command, caller.as_actor(role), row, case, delivery, is_first=n == 0)
        if isinstance(last, Moved):
            return await self._done(case, last)
        return refused(last.failed or ("VERSION",), case.message)

    async def _resolve_one(
        self, command: Resolve, by: Any, row: str, case: Case, delivery: Row, *, is_first: bool
    ) -> Moved | Stayed:
        message, now = case.message, datetime.now(UTC)
        expires_at = now + timedelta(seconds=message["expires_after_s"])
        if row == "T33":
            data: Row = {"deliveries": [delivery["id"]], "release": message["release"], "proven_by": "person"}
        else:
            data = said.held(
                message["revision"], message["content"], ("resolved",), expires_at=expires_at, mode=None,
                release=message["release"],
            )  # fmt: skip
        has_note = bool(command.note.strip())
        return await self._steps.of(
            by, row, message["id"], delivery_id=delivery["id"], data=data, now=now, has_note=has_note,
            expires_at=expires_at, reason="resolved", command_id=command.command_id if is_first else None,
            **(self._spoken(command, row, message["revision"], message["content"]) if is_first else {}),
        )  # fmt: skip

    async def _decide_once(self, command: Decide, caller: Caller, case: Case) -> CommandReply | None:
        message = case.message
        attempted = await self._store.fetchval("was_attempted", message["id"])
        row = row_for(command, message, attempted=bool(attempted))
        role = role_for(row, caller.roles)
        if role is None:
            return forbidden("oversight")
        if (first := await self._first_result(command.command_id, case)) is not None:
            return first
        if row == "T15a" and not renders_alike(case):
            return refusal("content_refused", "The edit is not what its text renders to.", "Edit it again.")
        step = await self._steps.of(
            caller.as_actor(role), row, message["id"], version=message["version"], command_id=command.command_id,
            **await self._arguments(command, caller, case, row),
        )  # fmt: skip
        if isinstance(step, Moved):
            await self._test_quality(message)
            return await self._done(case, step)
        if not step.failed or step.failed == ("VERSION",):
            return None  # somebody was faster: look again
        return await self._refused(command, caller, case, row, step.failed)

    async def _test_quality(self, message: Row) -> None:
        """The decision stands whatever comes of this; the sweep tests again."""
        try:
            await self._quality.decided(message)
        except Exception as error:
            log.warning("the quality of a category was not tested", error=type(error).__name__)

    async def _edit_words(self, message: Row, edit: Row) -> int:
        """How much a reviewer's edit changes what waits."""
        before = await self._store.fetchrow("revision", message["id"], message["revision"])
        if before is None:
            return words_changed("", edit["markdown"])
        return words_changed(f"{before['subject']}\n{before['markdown']}", f"{edit['subject']}\n{edit['markdown']}")

    async def _arguments(self, command: Decide, caller: Caller, case: Case, row: str) -> dict[str, Any]:
        message, draft, now = case.message, case.draft, datetime.now(UTC)
        note = (command.note or "").strip()
        mode = str(effective_mode(case)) if message["direction"] == "outbound" else message["mode"]
        arguments: dict[str, Any] = {
            "now": now, "seen_hash": command.seen_sha256, "seen_head": command.seen_head,
            "has_note": bool(note), "final": command.final,
        }  # fmt: skip
        revision, content = message["revision"], message["content"]
        if row in {"T15a", "T15b"} and draft is not None:
            revision, content = draft["n"], draft["content_sha256"]
            arguments |= {"revision": revision, "edit_words": await self._edit_words(message, draft)}
        expires_at = now + timedelta(seconds=message["expires_after_s"])
        if row in RELEASING and draft is not None:
            arguments |= await self._release(caller, case, row, mode, now)
        elif row == "T15b":
            arguments |= {
                "reasons": list(message["reasons"]), "expires_at": expires_at,
                "data": said.held(
                    revision, content, message["reasons"], expires_at=expires_at, mode=mode, release=message["release"]
                ),
            }  # fmt: skip
        elif row in {"T17", "T18"}:
            arguments |= {
                "reason": command.reason_code or "rejected", "expires_at": expires_at,
                "data": said.rejected(
                    message, final=row == "T18", reason_code=command.reason_code, decided_by=caller.principal_id
                ),
            }  # fmt: skip
        elif row == "T03":
            arguments["data"] = {
                "raw_sha256": salted(message["salt"], message["raw_sha256"]), "automatic": bool(message["automatic"]),
                "has_attachments": message["has_attachments"], "admitted": True,
            }  # fmt: skip
        elif row == "T04":
            arguments["data"] = {"reasons": list(message["quarantined_for"]), "discarded": True}
        return arguments | self._spoken(command, row, revision, content)

    async def _release(self, caller: Caller, case: Case, row: str, mode: str, now: datetime) -> dict[str, Any]:
        message, draft = case.message, case.draft
        if draft is None:
            return {}
        ended = frozenset(await self._store.fetchval("ended_recipients", message["id"]) or ())
        deciders = [message["ok1"], caller.principal_id] if row == "T13" else [caller.principal_id]
        release = self._grants.release(message, draft, mode=mode, now=now, decided_by=deciders, ended=ended)
        return {
            "grant_token": release.grant, "due_at": release.due_at, "expires_at": release.expires_at,
            "data": said.released(draft, release, decided_by=caller.principal_id, edited=row == "T15a"),
        }  # fmt: skip

    def _spoken(self, command: Decide | Resolve, row: str, revision: int, content: str | None) -> dict[str, Any]:
        """The decision as people will read it, written in the deciding statement."""
        return {
            "decision_id": new_id("dec"), "action": ACTIONS[row], "decided_revision": revision,
            "decided_hash": content, "note": (command.note or "").strip() or None,
            "reason_code": getattr(command, "reason_code", None), "seen_given": getattr(command, "seen_given", True),
        }  # fmt: skip

    async def _refused(
        self, command: Decide, caller: Caller, case: Case, row: str, failed: tuple[str, ...]
    ) -> CommandReply:
        """No: or yes, already, when this very person has decided this very thing."""
        last = await self._store.fetchrow("last_decision", case.message["id"])
        content = case.draft["content_sha256"] if row.startswith("T15") and case.draft else command.seen_sha256
        if last is not None and is_same(last, row, caller.principal_id, content, None):
            return self._reply(case, last["seq"]).model_copy(
                update={"already": True, "revision": last["revision"], "content_sha256": last["content_sha256"],
                        "decided_by": last["principal"], "decided_at": last["at"]}
            )  # fmt: skip
        reply = refused(failed, case.message)
        if reply.code == "already_decided" and last is not None:
            return reply.model_copy(update={"decided_by": last["principal"], "decided_at": last["at"]})
        return reply

    async def _case(self, caller: Caller, message_id: str, revision: int | None = None) -> Case | None:
        message = await self._store.fetchrow("case", message_id)
        if message is None or message["tenant_id"] != caller.tenant_id or not caller.may_see(message["mailbox_id"]):
            return None
        if message["direction"] == "inbound" or not (revision or message["revision"]):
            return Case(message, None)
        return await gather(self._store, message_id, revision or message["revision"])

    async def _first_result(self, command_id: str, case: Case) -> CommandReply | None:
        found = await self._store.fetchrow("decision_result", command_id, case.message["tenant_id"])
        if found is None or found["subject_id"] != case.message["id"]:
            return None
        record = await self._store.fetchval("audit_record", found["subject_id"], found["seq"])
        return await self._of_record(case, json.loads(record), already=True)

    async def _done(self, case: Case, step: Moved) -> CommandReply:
        return await self._of_record(case, step.record, already=step.already)

    async def _of_record(self, case: Case, record: Row, *, already: bool) -> CommandReply:
        data, extra = record["data"], {"row": record["row"]}
        if self._receipts is not None and (receipt := await self._receipts.of(record)) is not None:
            extra["receipt"] = receipt
        return self._reply(case, record["seq"]).model_copy(update={
            "already": already, "state": record["to"], "revision": data.get("revision", case.message["revision"]),
            "content_sha256": record["content"], "decided_by": record["principal"],
            "decided_at": datetime.fromisoformat(record["at"]), "extra": extra,
        })  # fmt: skip

    @staticmethod
    def _reply(case: Case, seq: int) -> CommandReply:
        message = case.message
        return CommandReply(
            ok=True, message_id=message["id"], id=message["id"], seq=seq, state=message["state"],
            revision=message["revision"], content_sha256=message["content"], failed=(), already=False,
        )  # fmt: skip


def unknown_caller() -> CommandReply:
    """The key does not exist, was revoked, or is another's."""
    return refusal("unauthenticated", "This key is not known.", "Use a key that exists and was not revoked.")
