"""Mails for the store's tests: payloads and steps, the short way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gatepost_contracts.canonical import canonical, sha256_hex
from gatepost_contracts.ids import new_id
from gatepost_oversight.credential import Role
from gatepost_store import Actor, Inserted, Moved, Stayed, Store

TENANT, MAILBOX = "ten_" + "0" * 26, "mbx_" + "1" * 26
SYSTEM = Actor(Role.SYSTEM, None, "gatekeeper", "timer")
SENDER = Actor(Role.SYSTEM, None, "sender", "timer")
INGEST = Actor(Role.SYSTEM, None, "ingest", "smtp")
AGENT = Actor(Role.AGENT, "prn_agent", "key_" + "A" * 26, "rest")
ANN = Actor(Role.REVIEWER, "prn_ann", "key_" + "B" * 26, "rest")
BOB = Actor(Role.REVIEWER, "prn_bob", "key_" + "C" * 26, "rest")
OPERATOR = Actor(Role.OPERATOR, "prn_op", "key_" + "D" * 26, "cli")


def moved(step: Any) -> Moved:
    assert isinstance(step, Moved), step
    return step


def made(step: Any) -> Inserted:
    assert isinstance(step, Inserted), step
    return step


def stayed(step: Any) -> tuple[str, ...]:
    assert isinstance(step, Stayed), step
    assert step.failed is not None
    return step.failed


def inbound(thread: str | None = None, *, raw: bytes = b"Subject: hi\r\n\r\nhi", **columns: Any) -> dict[str, Any]:
    return {
        "m": {
            "id": new_id("msg"), "tenant_id": TENANT, "mailbox_id": MAILBOX, "thread_id": thread or new_id("thr"),
            "raw_sha256": sha256_hex(raw), "size_bytes": len(raw), "header_from": "Cora@example.org", "to_addresses": ["support@test"],
            "subject": "hi", "text": "hi", "refs": ["<a@b>"], "auth": {"spf": "pass"}, "sent_at": datetime.now(UTC), **columns,
        },
        "thread": {"subject": "hi"} if thread else {"new": True, "subject": "hi"},
        "files": [{"n": 0, "name": "a.txt", "content_type": "text/plain", "size_bytes": 3, "sha256": "0" * 64}],
    }  # fmt: skip


def revision(kind: str = "draft", text: str = "Hello", author: str = "prn_agent", **columns: Any) -> dict[str, Any]:
    content = canonical({"text": text})
    return {
        "kind": kind, "content": content, "content_sha256": sha256_hex(content), "markdown": text, "subject": "Re: hi",
        "recipients": ["cora@example.org"], "author": author, "author_kind": "agent", **columns,
    }  # fmt: skip


def draft(thread: str | None = None, *, text: str = "Hello", idem: dict[str, str] | None = None, mail: dict[str, Any] | None = None,
          **columns: Any) -> dict[str, Any]:  # fmt: skip
    return {
        "m": {
            "id": new_id("msg"), "tenant_id": TENANT, "mailbox_id": MAILBOX, "thread_id": thread or new_id("thr"),
            "author": "prn_agent", "author_kind": "agent", "expires_at": datetime.now(UTC) + timedelta(days=7), **(mail or {}),
        },
        "rev": revision(text=text, **columns),
        "thread": {"id": thread} if thread else {"new": True, "subject": "hi"},
        "idem": idem,
    }  # fmt: skip


def drafted(rev: dict[str, Any]) -> dict[str, Any]:
    return {"content_sha256": rev["content_sha256"], "author": rev["author"], "author_kind": "agent"}


class Mail:
    """One outbound mail on its way."""

    def __init__(self, api: Store, gatekeeper: Store, sender: Store, payload: dict[str, Any]) -> None:
        self.api, self.gatekeeper, self.sender, self.payload = api, gatekeeper, sender, payload
        self.id: str = payload["m"]["id"]
        self.sha: str = payload["rev"]["content_sha256"]
        self.head: str | None = None
        self.version = 1
        self.release = 0

    async def write(self) -> Mail:
        made(await self.api.insert("T05", self.payload, by=AGENT, data=drafted(self.payload["rev"])))
        return self

    async def step(self, row: str, by: Actor = SYSTEM, **args: Any) -> Moved | Stayed:
        step = await self.gatekeeper.step(row, self.id, by=by, **args)
        if isinstance(step, Moved):
            self.version = step.seq
        return step

    async def submit(self) -> Mail:
        moved(await self.step("T06", revision=1))
        return self

    async def hold(self) -> Mail:
        await self.submit()
        moved(await self.step("T09", reasons=["gated"], data={"revision": 1, "reasons": ["gated"]}))
        return self

    def seen(self) -> dict[str, Any]:
        return {"seen_hash": self.sha, "seen_head": self.head, "version": self.version}

    def letting_go(self) -> dict[str, Any]:
        due = datetime.now(UTC) - timedelta(seconds=1)
        self.release += 1
        return {
            "version": self.version, "grant_token": "grant", "due_at": due,
            "data": {"revision": 1, "content_sha256": self.sha, "release": self.release, "due_at": due},
        }  # fmt: skip

    async def approve(self, by: Actor = ANN, **more: Any) -> Mail:
        moved(await self.step("T11", by, **(self.seen() | self.letting_go() | more)))
        return self

    async def wire(self, row: str, n: int = 1, **args: Any) -> Moved | Stayed:
        step = await self.sender.step(row, self.id, by=SENDER, delivery_id=f"{self.id}.{self.release}.{n}", **args)
        if isinstance(step, Moved):
            self.version = max(self.version, step.seq)
        return step

    async def claim(self, n: int = 1, row: str = "T24", owner: str = "s1", lease_s: float = 60) -> Moved | Stayed:
        lease = datetime.now(UTC) + timedelta(seconds=lease_s)
        return await self.wire(row, n, owner=owner, lease_until=lease, grant_ok=True, rfc_message_id="<x@test>")

    async def announce(self, n: int = 1, owner: str = "s1") -> Moved | Stayed:
        return await self.wire("T27", n, owner=owner)

    async def end(self, row: str, n: int = 1, **args: Any) -> Moved | Stayed:
        data = {"deliveries": [f"{self.id}.{self.release}.{n}"], "release": self.release}
        if row == "T29":
            args.setdefault("due_at", datetime.now(UTC) - timedelta(seconds=1))
            data["next_attempt_at"] = args["due_at"]
        return await self.wire(row, n, data=data, stage="dot", **args)
