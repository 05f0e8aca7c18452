"""MTA-STS (RFC 8461): which exchangers a domain says are its own, and that TLS must be right there.

A policy that was fetched is kept until it expires, over restarts too: an attacker who can answer DNS queries must not be
able to make us forget it. A new id in the DNS makes us fetch again; where that fails, the old policy holds.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gatepost_runtime import get_logger
from gatepost_sender.names import LookupFailed, Names, NoSuchName
from gatepost_store import Store

log = get_logger()
_LONGEST = 64 * 1024
_MOST_AGE_S = 31_557_600
_ID = re.compile(r"^v=STSv1\s*;(?:.*;)?\s*id\s*=\s*([A-Za-z0-9]{1,32})\s*(?:;.*)?$", re.ASCII)
_AGAIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Policy:
    """What a domain asks for. mode: enforce, testing or none."""

    policy_id: str
    mode: str
    mx: tuple[str, ...]
    expires_at: datetime

    def names(self, host: str) -> bool:
        """The host is one of its exchangers; `*.` stands for one label (RFC 8461 4.1)."""
        host = host.lower().rstrip(".")
        _, _, parent = host.partition(".")
        return host in self.mx or f"*.{parent}" in self.mx


class BadPolicy(ValueError):
    """The text is no policy."""


def read_policy(text: str, policy_id: str, now: datetime) -> Policy:
    """Raises BadPolicy, with what is wrong in words."""
    fields: dict[str, str] = {}
    mx: list[str] = []
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not colon:
            continue
        name, value = name.strip().lower(), value.strip()
        if name == "mx":
            mx.append(value.lower().rstrip("."))
        else:
            fields.setdefault(name, value)
    if fields.get("version") != "STSv1":
        raise BadPolicy("it does not begin with version: STSv1")
    mode, age = fields.get("mode", ""), fields.get("max_age", "")
    if mode not in {"enforce", "testing", "none"}:
        raise BadPolicy("its mode is none of enforce, testing and none")
    if not age.isdecimal() or len(age) > 10:
        raise BadPolicy("its max_age is no number of seconds")
    if mode != "none" and not mx:
        raise BadPolicy("it names no mx")
    return Policy(policy_id, mode, tuple(mx), now + timedelta(seconds=min(int(age), _MOST_AGE_S)))


Fetch = Callable[[str], Awaitable[str]]


class StsPolicies:
    """Policies by domain."""

    def __init__(self, names: Names, store: Store, fetch: Fetch, clock: Callable[[], datetime] | None = None) -> None:
        self._names, self._store, self._fetch = names, store, fetch
        self._clock = clock or (lambda: datetime.now(UTC))
        self._known: dict[str, tuple[float, Policy | None]] = {}

    async def of(self, domain: str) -> Policy | None:
        """The policy in force, or None. A failing look-up or fetch leaves what was known."""
        since, policy = self._known.get(domain, (0.0, None))
        if time.monotonic() - since < _AGAIN_S and (policy is None or policy.expires_at > self._clock()):
            return policy
        policy = await self._look(domain)
        if len(self._known) > 20_000:
            self._known.clear()
        self._known[domain] = (time.monotonic(), policy)
        return policy

    async def _look(self, domain: str) -> Policy | None:
        kept = await self._kept(domain)
        try:
            texts = await self._names.text(f"_mta-sts.{domain}")
        except (LookupFailed, NoSuchName):
            return kept
        ids = [found[1] for found in map(_ID.match, texts) if found]
        if len(ids) != 1 or (kept is not None and kept.policy_id == ids[0]):
            return kept
        try:
            policy = read_policy(await self._fetch(domain), ids[0], self._clock())
        except (BadPolicy, OSError, aiohttp.ClientError, TimeoutError, UnicodeError) as error:
            log.warning("a domain's MTA-STS policy could not be read", domain=domain, error=type(error).__name__)
            return kept
        await self._store.execute("sts_keep", domain, policy.policy_id, policy.mode, list(policy.mx), policy.expires_at)
        return policy

    async def _kept(self, domain: str) -> Policy | None:
        row = await self._store.fetchrow("sts_kept", domain)
        if row is None or row["expires_at"] <= self._clock():
            return None
        return Policy(row["policy_id"], row["mode"], tuple(row["mx"]), row["expires_at"])


class PolicyHost:
    """Fetches policies over HTTPS from `mta-sts.<domain>`: the certificate must be right, redirects are not followed."""

    def __init__(self, names: Names, *, port: int = 443, ca_file: str | None = None, timeout_s: float = 15) -> None:
        self._names, self._port, self._ca_file, self._timeout_s = names, port, ca_file, timeout_s

    async def fetch(self, domain: str) -> str:
        """The text of the policy. Raises aiohttp.ClientError, OSError, TimeoutError, UnicodeError."""
        host = f"mta-sts.{domain}"
        context = ssl.create_default_context(cafile=self._ca_file)
        connector = aiohttp.TCPConnector(ssl=context, resolver=_OurNames(self._names), use_dns_cache=False)
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        url = f"https://{host}:{self._port}/.well-known/mta-sts.txt"
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(url, allow_redirects=False) as reply,
        ):
            if reply.status != 200:
                raise aiohttp.ClientPayloadError("no policy there")
            raw = b""
            async for chunk in reply.content.iter_chunked(8192):
                raw += chunk
                if len(raw) > _LONGEST:
                    raise aiohttp.ClientPayloadError("the policy is too long")
        return raw.decode("utf-8")


class _OurNames(AbstractResolver):
    """Connects only to addresses that our resolver lets us reach."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:  # noqa: ARG002 (aiohttp's signature)
        try:
            found = await self._names.addresses(host)
        except (NoSuchName, LookupFailed) as error:
            raise OSError("the host has no address") from error
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=10 if ":" in address else 2, proto=0, flags=0
            )
            for address in found
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is held."""
