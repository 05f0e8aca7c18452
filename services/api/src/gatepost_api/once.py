"""A request that is repeated is done once: the key, the hash of what was asked, and the first reply.

A row without a reply is a request at work; who comes second waits for it. A row older than its life is as good as none.
What a process left at work when it died is taken over after half a minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from gatepost_api.errors import Refusal, invalid
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.canonical import canonical, sha256_hex

KEY_MOST = 200
Work = Callable[[], Awaitable[Reply]]


def header_key(call: Call) -> str | None:
    """The `Idempotency-Key` header."""
    key = call.headers.get("idempotency-key")
    if key is not None and (not key or len(key) > KEY_MOST or not key.isprintable()):
        raise invalid("Idempotency-Key", f"must be 1 to {KEY_MOST} printable characters")
    return key


def digest(request: Any) -> str:
    """The hash of a request in its canonical spelling."""
    return sha256_hex(canonical(request))


async def once(office: Office, call: Call, request: dict[str, Any], work: Work) -> Reply:
    """Do the work once per key; a repeat gets the first reply, without what was secret in it."""
    key = header_key(call)
    if key is None:
        return await work()
    name, sha256 = f"header:{key}", digest({"command": call.route.command, **request})
    life_s = float(office.settings.idempotency_h * 3600)
    if not await claim(office, call, name, sha256, None, life_s):
        row = await finished(office, call, name)
        if row is None:
            return await once(office, call, request, work)
        if row["request_sha256"] != sha256:
            raise Refusal("idempotency_key_reused")
        return Reply(dict(row["reply"] or {}), status=row["status"])
    try:
        reply = await work()
    except BaseException:
        await release(office, call, name)
        raise
    if not isinstance(reply.body, dict):
        await release(office, call, name)
    else:
        kept = {k: v for k, v in reply.body.items() if k not in call.route.secret}
        await finish(office, call, name, reply.status or call.route.status, kept, None)
    return reply


async def claim(office: Office, call: Call, name: str, sha256: str, message_id: str | None, life_s: float) -> bool:
    """Is this request the first with its key?"""
    caller = call.caller
    made = await office.store.fetchval(
        "claim_request", caller.tenant_id, caller.principal_id, name, sha256, message_id, life_s
    )
    return made is not None


async def found(office: Office, call: Call, name: str) -> Row | None:
    """The row of a key."""
    row: Row | None = await office.store.fetchrow("request", call.caller.tenant_id, call.caller.principal_id, name)
    return row


async def finished(office: Office, call: Call, name: str) -> Row | None:
    """The row of a key once the first request has its answer; None when it was given up meanwhile."""
    until = time.monotonic() + office.settings.in_flight_wait_s
    while True:
        row = await found(office, call, name)
        if row is None or row["status"] is not None or row["is_stored"]:
            return row
        if row["is_old"]:
            await release(office, call, name)
            return None
        if time.monotonic() >= until:
            raise Refusal("in_flight", headers={"Retry-After": "1"})
        await asyncio.sleep(0.05)


async def finish(
    office: Office, call: Call, name: str, status: int, reply: dict[str, Any], message_id: str | None
) -> None:
    """Keep the reply for those who repeat."""
    caller = call.caller
    await office.store.execute("finish_request", caller.tenant_id, caller.principal_id, name, status, reply, message_id)


async def release(office: Office, call: Call, name: str) -> None:
    """Give a key back: nothing was done under it."""
    await office.store.execute("drop_request", call.caller.tenant_id, call.caller.principal_id, name)


async def forget_expired(office: Office, call: Call, name: str, life_s: float) -> None:
    """Remove a row that has outlived its life, so that the key is new again."""
    await office.store.execute("drop_expired", call.caller.tenant_id, call.caller.principal_id, name, life_s)


class Turns:
    """One at a time for each name, inside this process."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    async def take(self, name: str, work: Work) -> Reply:
        """Do the work when it is its turn."""
        lock, waiting = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = (lock, waiting + 1)
        try:
            async with lock:
                return await work()
        finally:
            lock, waiting = self._locks[name]
            if waiting == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, waiting - 1)
