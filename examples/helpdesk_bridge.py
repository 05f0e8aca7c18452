"""A bridge to a helpdesk: a customer's mail becomes a comment of its ticket, and low-risk answers are let go.

The helpdesk opens a conversation by sending the first mail with `thread_id: zd-<ticket>`; every later mail of that thread
carries this id. Two keys, of two principals: the agent's reads and tags, the reviewer's approves. No key does both.
A held draft is approved only when the ticket has the tag `low-risk` and nothing but the mailbox's mode holds it.

Run it beside `make up`:
    gatepost streams add-consumer helpdesk_bridge --event email.received --event email.held
    GATEPOST_NATS_URL=... BRIDGE_HELPDESK_URL=... BRIDGE_AGENT_KEY=... BRIDGE_REVIEWER_KEY=... python examples/helpdesk_bridge.py
"""

from __future__ import annotations

from typing import Any

import aiohttp
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatepost_client import AsyncGatepost
from gatepost_contracts.email import EmailHeld, EmailReceived
from gatepost_runtime import On, get_logger
from gatepost_runtime.consumer import consume

log = get_logger()
ONLY_THE_MODE = {"gated", "gated_send"}
PREFIX = "zd-"


class BridgeSettings(BaseSettings):
    """Read from BRIDGE_*."""

    model_config = SettingsConfigDict(env_prefix="BRIDGE_")

    api_url: str = Field("http://127.0.0.1:8080", description="Gatepost's API.")
    helpdesk_url: str = Field(description="The helpdesk's REST API.")
    helpdesk_token: str = Field("", description="Its token.")
    agent_key: str = Field(description="Reads mails and tags them.")
    reviewer_key: str = Field(description="Approves what is low-risk; a person gave it to this program.")


class Helpdesk:
    """As much of a helpdesk's API as is needed: read a ticket, add a comment and tags to it."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url.rstrip("/"), {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def ticket(self, ticket: str) -> dict[str, Any]:
        return (await self._do("GET", ticket, None))["ticket"]

    async def update(self, ticket: str, changes: dict[str, Any]) -> None:
        await self._do("PUT", ticket, {"ticket": changes})

    async def _do(self, method: str, ticket: str, body: Any) -> dict[str, Any]:
        self._session = self._session or aiohttp.ClientSession(headers=self._headers)
        async with self._session.request(method, f"{self._url}/api/v2/tickets/{ticket}.json", json=body) as reply:
            reply.raise_for_status()  # the event comes again, later each time
            return await reply.json()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class Bridge:
    """What happens to tickets and drafts."""

    def __init__(self, helpdesk: Helpdesk, agent: AsyncGatepost, reviewer: AsyncGatepost) -> None:
        self._helpdesk, self._agent, self._reviewer = helpdesk, agent, reviewer

    async def received(self, event: EmailReceived) -> None:
        """The customer wrote: a comment of the ticket. The event's id is in it, so that a repeat adds none."""
        ticket_id, thread = await self._ticket_of(event.thread_id)
        if ticket_id is None:
            return
        mail = next(m for m in thread["messages"] if m["id"] == event.message_id)
        ticket = await self._helpdesk.ticket(ticket_id)
        if any(comment.get("external_id") == event.event_id for comment in ticket["comments"]):
            return
        comment = {"body": mail["markdown"], "author": mail["from"], "public": True, "external_id": event.event_id}
        await self._helpdesk.update(ticket_id, {"comment": comment, "additional_tags": ["customer-replied"]})
        await self._agent.set_tags(event.mailbox_id, event.message_id, {"ticket": ticket_id})

    async def held(self, event: EmailHeld) -> None:
        """A draft waits: let go what is low-risk, exactly as it was seen."""
        ticket_id, _ = await self._ticket_of(event.thread_id)
        if ticket_id is None or not set(event.reasons) <= ONLY_THE_MODE or event.content_sha256 is None:
            return
        if "low-risk" not in (await self._helpdesk.ticket(ticket_id))["tags"]:
            return
        pending = (await self._reviewer.list_pending(event.mailbox_id, limit=100))["messages"]
        if any(item["id"] == event.message_id for item in pending):
            await self._reviewer.decide(event.message_id, "approve", revision=event.content_sha256)
            log.info("a low-risk answer was approved", ticket=ticket_id, message_id=event.message_id)

    async def _ticket_of(self, thread_id: str) -> tuple[str | None, dict[str, Any]]:
        thread = await self._agent.get_thread(thread_id)
        name = str(thread.get("external_id") or thread["thread_id"])
        return (name.removeprefix(PREFIX) if name.startswith(PREFIX) else None), thread


HANDLERS = (On(EmailReceived, Bridge.received, workers=8), On(EmailHeld, Bridge.held, workers=4))


def main() -> None:
    settings = BridgeSettings()
    helpdesk = Helpdesk(settings.helpdesk_url, settings.helpdesk_token)
    agent = AsyncGatepost(settings.agent_key, base_url=settings.api_url)
    reviewer = AsyncGatepost(settings.reviewer_key, base_url=settings.api_url)
    closes = (helpdesk.close, agent.close, reviewer.close)
    consume("helpdesk_bridge", HANDLERS, Bridge(helpdesk, agent, reviewer), close=closes)


if __name__ == "__main__":
    main()
