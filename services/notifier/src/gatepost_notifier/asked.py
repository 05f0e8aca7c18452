"""What the doors ask of us: a sample of an event, and sending again one delivery or all that an outage left.

We alone write deliveries. The doors have looked at the caller's key; we look at whose the endpoint is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from gatepost_contracts.commands import CommandReply, Redeliver, SampleWebhook
from gatepost_contracts.webhook_words import kind_named
from gatepost_notifier.fanout import SYSTEM_MAILBOX
from gatepost_notifier.payload import API_VERSION, THIN, moment
from gatepost_store import Store

_PIECE, _LONG_ENOUGH_S = 2_000, 2.5
_OFF = CommandReply(ok=False, code="webhook_off", error="This webhook is switched off.")


class Asked:
    """Answers `cmd.notifier.*`; each answer may be asked for twice."""

    def __init__(self, store: Store, wake: Callable[[], None]) -> None:
        self._store, self._wake = store, wake

    async def sample(self, command: SampleWebhook) -> CommandReply:
        """A test event; its id follows from the command's."""
        kind = kind_named(command.word)
        if kind is None:
            return CommandReply(ok=False, code="event_unsupported", error="There is no such event.")
        endpoint = await self._store.fetchrow("asked_endpoint", command.tenant_id, command.endpoint_id)
        if endpoint is None:
            return _OFF
        delivery_id, canonical = f"whd_{command.command_id.removeprefix('cmd_')}", kind.partition(" ")[0]
        await self._store.execute(
            "add_sample", delivery_id, command.tenant_id, endpoint["mailbox_id"] or SYSTEM_MAILBOX, endpoint["id"],
            canonical, command.word, sample_body(endpoint, delivery_id, command, canonical),
        )  # fmt: skip
        self._wake()
        return CommandReply(ok=True, id=delivery_id)

    async def redeliver(self, command: Redeliver) -> CommandReply:
        """One, or all that fit."""
        if command.delivery_id is not None:
            endpoint = await self._store.fetchval("again", command.tenant_id, command.delivery_id)
            await self._go({endpoint} if endpoint else set())
            return CommandReply(ok=True, id=command.delivery_id, extra={"count": int(endpoint is not None)})
        chosen = (
            command.tenant_id, command.endpoint_id, None if command.mailbox_ids is None else list(command.mailbox_ids),
            list(command.states), command.since, command.until, command.event_type, command.message_id, command.thread_id,
        )  # fmt: skip
        if command.dry_run:
            found = await self._store.fetchrow("would_go_again", *chosen)
            again, hurried = (found["again"], found["hurried"]) if found else (0, 0)
            return _counted(again, hurried)
        return await self._all_again(chosen)

    async def _all_again(self, chosen: tuple[Any, ...]) -> CommandReply:
        """Piece by piece while there is time to answer."""
        again = hurried = 0
        touched: set[str] = set()
        at, last, until, rows = None, None, time.monotonic() + _LONG_ENOUGH_S, list[Any]()
        while time.monotonic() < until:
            rows = list(await self._store.fetch("all_again", *chosen, at, last, _PIECE))
            again += sum(not row["waited"] for row in rows)
            hurried += sum(row["waited"] for row in rows)
            touched |= {row["endpoint_id"] for row in rows}
            if len(rows) < _PIECE:
                break
            at, last = max((row["created_at"], row["id"]) for row in rows)
        await self._go(touched | ({chosen[1]} if chosen[1] else set()))
        return _counted(again, hurried, next_since=moment(at) if at and len(rows) == _PIECE else None)

    async def _go(self, endpoints: set[str]) -> None:
        """Let what was given back be tried now, also where an endpoint was only probed."""
        if endpoints:
            await self._store.execute("promote_endpoints", sorted(endpoints))
            await self._store.execute("look_again", sorted(endpoints))
        self._wake()


def _counted(again: int, hurried: int, *, next_since: str | None = None) -> CommandReply:
    more = {"more": next_since is not None, "next_since": next_since}
    return CommandReply(ok=True, extra={"count": again, "hurried": hurried} | more)


def sample_body(endpoint: Any, delivery_id: str, command: SampleWebhook, canonical: str) -> bytes:
    """The fields that receivers look at, with values that name nothing real; in the form this endpoint gets."""
    text, at, word = "This is a test of your webhook.", moment(command.at), command.word
    if endpoint["payload"] == "slack":
        return json.dumps({"text": text}).encode()
    content: dict[str, Any] = {
        "id": delivery_id, "event": word, "type": word, "event_type": word, "canonical": canonical, "timestamp": at,
        "created_at": at, "api_version": API_VERSION, "test": True, "event_id": f"test.{delivery_id}",
        "mailbox": endpoint["address"] or "", "mailbox_id": endpoint["mailbox_id"] or "",
        "message_id": "msg_TEST", "email_id": "msg_TEST", "original_message_id": "msg_TEST", "in_reply_to_id": None,
        "thread_id": "thr_TEST", "from": "test@example.com", "sender": "test@example.com",
        "from_address": "test@example.com", "to": [], "to_addresses": [], "subject": "Webhook test", "body_text": text,
        "markdown": text, "text_body": text, "body": text, "direction": "inbound", "status": "unread",
        "has_attachments": False, "tags": {}, "metadata": {}, "thread_metadata": {}, "oversight_mode": "",
    }  # fmt: skip
    if endpoint["payload"] == "thin":
        content = {name: value for name, value in content.items() if name in THIN or name == "test"}
    return json.dumps(content | {"data": content}, ensure_ascii=False, separators=(",", ":")).encode()
