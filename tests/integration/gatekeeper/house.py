"""A tenant with people, keys and mailboxes on a real Postgres, and short words for what tests do with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_contracts.commands import Cancel, Command, CommandReply, Decide
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.decisions import Decisions
from gatepost_gatekeeper.desk import Desk
from gatepost_gatekeeper.facts import Limits
from gatepost_gatekeeper.granting import Granting
from gatepost_gatekeeper.grants import Grants
from gatepost_gatekeeper.notices import Notices
from gatepost_gatekeeper.quality import Quality
from gatepost_gatekeeper.steps import Steps
from gatepost_gatekeeper.telling import Telling
from gatepost_gatekeeper.timers import Timers
from gatepost_gatekeeper.upgrades import Upgrades
from gatepost_gatekeeper.world import World
from gatepost_gatekeeper.world_steps import WorldSteps
from gatepost_mail.render import Answered, DraftText, SenderIdentity, render
from gatepost_oversight.credential import Role
from gatepost_store import Actor, Inserted, Store

ADA = "ada@customer.example"
OPERATOR = "Shop Ltd"
OVERSEER = "boss@shop.example"


@dataclass
class House:
    """Everything a test talks to."""

    owner: asyncpg.Connection
    stores: dict[str, Store]
    desk: Desk
    decisions: Decisions
    world: World
    timers: Timers
    granting: Granting
    upgrades: Upgrades
    quality: Quality
    tenant: str = field(default_factory=lambda: new_id("ten"))
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> (key id, principal)

    async def build(self) -> House:
        await self.owner.execute(
            "INSERT INTO tenant (id, name, slug, oversight_email) VALUES ($1, $2, $3, $4)",
            self.tenant,
            OPERATOR,
            self.tenant,
            OVERSEER,
        )
        await self.owner.execute(
            "INSERT INTO mailbox (id, tenant_id, address, mode) VALUES ('mbx_system', $1, 'system@x.invalid', 'autonomous')"
            " ON CONFLICT (id) DO NOTHING", self.tenant,
        )  # fmt: skip
        for name, kind, scopes in (
            ("agent", "agent", ["read", "send", "oversight_read"]), ("other_agent", "agent", ["read", "send"]),
            ("reviewer", "person", ["read", "oversight"]), ("second", "person", ["read", "oversight"]),
            ("operator", "person", ["read", "admin"]),
        ):  # fmt: skip
            await self.key(name, kind, scopes)
        return self

    async def key(self, name: str, kind: str, scopes: list[str], principal: str | None = None) -> None:
        principal_id, key_id = principal or "prn_" + new_id("x")[2:], new_id("key")
        await self.owner.execute(
            "INSERT INTO principal (id, tenant_id, kind, name) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            principal_id, self.tenant, kind, name,
        )  # fmt: skip
        await self.owner.execute(
            "INSERT INTO api_key (id, tenant_id, principal_id, name, prefix, key_sha256, scopes)"
            " VALUES ($1, $2, $3, $4, 'gp', $5, $6)", key_id, self.tenant, principal_id, name,
            hashlib.sha256(key_id.encode()).hexdigest(), scopes,
        )  # fmt: skip
        self.keys[name] = (key_id, principal_id)

    async def mailbox(self, mode: str, **columns: Any) -> str:
        mailbox = new_id("mbx")
        await self.owner.execute(
            "INSERT INTO mailbox (id, tenant_id, address, mode) VALUES ($1, $2, $3, $4)",
            mailbox, self.tenant, f"{mailbox.lower()}@shop.example", mode,
        )  # fmt: skip
        await self.set_mailbox(mailbox, **columns)
        return mailbox

    async def set_mailbox(self, mailbox: str, **columns: Any) -> None:
        for name, value in columns.items():
            await self.owner.execute(f"UPDATE mailbox SET {name} = $2 WHERE id = $1", mailbox, value)

    async def inbound(
        self, mailbox: str, text: str = "Where is it?", thread: str | None = None, **more: Any
    ) -> dict[str, Any]:
        address = await self.owner.fetchval("SELECT address FROM mailbox WHERE id = $1", mailbox)
        message, thread_id = new_id("msg"), thread or new_id("thr")
        mail = {
            "id": message, "tenant_id": self.tenant, "mailbox_id": mailbox, "thread_id": thread_id,
            "raw_sha256": hashlib.sha256(message.encode()).hexdigest(), "size_bytes": 10, "header_from": ADA,
            "envelope_from": ADA, "to_addresses": [address], "subject": "Where is it?", "text": text,
            "rfc_message_id": f"<{message}@customer.example>", **more,
        }  # fmt: skip
        made = await self.stores["ingest"].insert(
            "T01" if not more.get("quarantined_for") else "T02",
            {"m": mail, "thread": {"id": thread_id, "subject": "Where is it?"} | ({} if thread else {"new": True}), "files": []},
            by=Actor(Role.SYSTEM, None, "ingest"), raw=b"raw mail", data={"raw_sha256": mail["raw_sha256"]},
        )  # fmt: skip
        assert isinstance(made, Inserted), made
        return mail

    async def draft(
        self, mail: dict[str, Any], markdown: str = "It is on its way.", *, author: str = "agent", to: tuple[str, ...] = (ADA,),
        judge: bool = True, **more: Any,
    ) -> str:  # fmt: skip
        """A reply by the agent, judged unless told otherwise."""
        key, principal = self.keys[author]
        message = new_id("msg")
        row = await self._revision(mail["mailbox_id"], mail, markdown, to, principal, key)
        columns = {
            "id": message, "tenant_id": self.tenant, "mailbox_id": mail["mailbox_id"], "thread_id": mail["thread_id"],
            "answers": mail["id"], "in_reply_to_id": mail["id"], "author": principal, "author_key": key,
            "author_kind": "agent", "subject": row["subject"], **more,
        }  # fmt: skip
        made = await self.stores["api"].insert(
            "T05", {"m": columns, "rev": row, "thread": {"id": mail["thread_id"]}, "files": []},
            by=Actor(Role.AGENT, principal, key, "rest"),
            data={"revision": 1, "content_sha256": row["content_sha256"], "author": principal, "author_kind": "agent"},
        )  # fmt: skip
        assert isinstance(made, Inserted), made
        if judge:
            await self.desk.judge(message)
        return message

    async def revise(
        self, message: str, mail: dict[str, Any], markdown: str, *, by: str = "agent", kind: str = "draft"
    ) -> str:
        key, principal = self.keys[by]
        row = await self._revision(mail["mailbox_id"], mail, markdown, (ADA,), principal, key) | {"kind": kind}
        made = await self.stores["api"].insert(
            "R1", {"message_id": message, "rev": row, "files": []},
            by=Actor(Role.AGENT if kind == "draft" else Role.REVIEWER, principal, key, "rest"),
            data={"content_sha256": row["content_sha256"], "author": principal, "author_kind": row["author_kind"]},
        )  # fmt: skip
        assert isinstance(made, Inserted), made
        if kind == "draft":
            await self.desk.judge(message)
        return str(row["content_sha256"])

    async def _revision(
        self, mailbox: str, mail: dict[str, Any], markdown: str, to: tuple[str, ...], principal: str, key: str
    ) -> dict[str, Any]:
        address = await self.owner.fetchval("SELECT address FROM mailbox WHERE id = $1", mailbox)
        content = render(
            DraftText(markdown=markdown, to=to), SenderIdentity(address=address, operator=OPERATOR),
            Answered(mail["rfc_message_id"], (), mail["subject"]),
        )  # fmt: skip
        return {
            "tenant_id": self.tenant, "mailbox_id": mailbox, "kind": "draft", "content_sha256": content.sha256,
            "content": content.canonical_text(), "markdown": markdown, "subject": content.subject,
            "recipients": list(content.recipients), "author": principal, "author_key": key, "author_kind": "agent",
            "placeholder": "[REVIEWER:" in markdown, "answers": mail["id"], "evidence": {},
        }  # fmt: skip

    # -- people ----------------------------------------------------------------------------------------------

    def said(self, model: type[Command], by: str, **more: Any) -> Any:
        key, principal = self.keys[by]
        return model(**({
            "command_id": new_id("cmd"), "tenant_id": self.tenant, "key_id": key, "principal_id": principal,
            "door": "rest", "at": datetime.now(UTC),
        } | more))  # fmt: skip

    async def decision(self, message: str, action: str, by: str = "reviewer", **more: Any) -> Decide:
        row = await self.show(message)
        head = await self.owner.fetchval("SELECT head FROM thread WHERE id = $1", row["thread_id"])
        seen = {"seen_sha256": row["content"], "seen_head": head}
        command: Decide = self.said(Decide, by, **(seen | {"message_id": message, "action": action} | more))
        return command

    async def decide(self, message: str, action: str, by: str = "reviewer", **more: Any) -> CommandReply:
        return await self.decisions.decide(await self.decision(message, action, by, **more))

    async def cancel(self, message: str, by: str = "agent") -> CommandReply:
        return await self.decisions.cancel(self.said(Cancel, by, message_id=message))

    # -- what came of it -------------------------------------------------------------------------------------

    async def show(self, message: str) -> Any:
        return await self.owner.fetchrow("SELECT * FROM message WHERE id = $1", message)

    async def state(self, message: str) -> str:
        return str((await self.show(message))["state"])

    async def records(self, message: str) -> list[str]:
        rows = await self.owner.fetch("SELECT row_id FROM audit_record WHERE subject_id = $1 ORDER BY seq", message)
        return [row["row_id"] for row in rows]

    async def deliveries(self, message: str) -> list[Any]:
        return list(await self.owner.fetch("SELECT * FROM delivery WHERE message_id = $1 ORDER BY id", message))


async def house_of(owner: asyncpg.Connection, stores: dict[str, Store], key: Ed25519PrivateKey) -> House:
    """The parts as the gatekeeper wires them."""
    steps, grants = Steps(stores["gatekeeper"]), Grants(key, 432_000)
    notices, quality, world = Notices(steps, grants), Quality(steps), WorldSteps(steps)
    telling = Telling(steps, notices, public_url="http://gate.test", digest_after_s=3600)
    desk = Desk(steps, grants, Limits(), telling)
    upgrades = Upgrades(world, notices, grants.derived("upgrade code"), "http://gate.test")
    timers = Timers(
        steps, desk, sweep_s=1, stuck_after_s=0, chores=(upgrades.sweep, quality.sweep, telling.news, telling.digest)
    )  # fmt: skip
    decisions = Decisions(steps, grants, quality)
    return await House(owner, stores, desk, decisions, World(world), timers, Granting(world), upgrades, quality).build()
