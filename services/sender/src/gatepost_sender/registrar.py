"""Answers `cmd.sender.domain_key`: the records of a domain, what the DNS says of them, and the change of its keys."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from gatepost_contracts.commands import CommandReply, DomainKey
from gatepost_sender import domains
from gatepost_sender.dkim_keys import DkimKeys
from gatepost_sender.domains import Check
from gatepost_sender.names import LookupFailed, Names, NoSuchName
from gatepost_store import Record, Store


class Registrar:
    """Makes, shows, verifies and changes a domain's keys."""

    def __init__(self, store: Store, keys: DkimKeys, names: Names, *, host: str, spf: str) -> None:
        self._store, self._keys, self._names, self._host, self._spf = store, keys, names, host, spf

    async def answer(self, command: DomainKey) -> CommandReply:
        """Do what was asked. A domain of another account is nobody's business."""
        domain = command.domain.strip().rstrip(".").lower()
        owner = await self._store.fetchval("domain_tenant", domain)
        if owner is not None and owner != command.tenant_id:
            return CommandReply(ok=False, code="not_found", error="There is no such domain.")
        match command.action:
            case "ensure":
                await self._keys.of(domain, command.tenant_id)
                return await self._told(domain)
            case "verify":
                await self._keys.of(domain, command.tenant_id)
                checks = await self.verify(domain)
                return await self._told(domain, checks=[check.view() for check in checks])
            case "next":
                await self._keys.next(domain, command.tenant_id)
                return await self._told(domain)
            case "switch":
                return await self._switch(domain)
            case "retire":
                gone = await self._keys.retire(domain)
                return await self._told(domain, retired=[_name(row, domain) for row in gone])

    async def _switch(self, domain: str) -> CommandReply:
        """Only when the DNS has every key that is to sign: else receivers would find none."""
        waiting = [row for row in await self._keys.records(domain) if row["activated_at"] is None]
        if not waiting:
            hint = "Make them first with the step `next`."
            return CommandReply(ok=False, code="not_found", error="No keys wait to be changed to.", hint=hint)
        checks = [await self._dkim(row, domain) for row in waiting]
        if bad := [check for check in checks if check.status != "ok"]:
            return CommandReply(
                ok=False, code="dns_not_ready", error=f"{bad[0].name}: {bad[0].words}",
                hint="Publish the records and wait until they are seen; the old keys go on signing.",
                extra={"checks": [check.view() for check in checks]},
            )  # fmt: skip
        await self._keys.switch(domain)
        return await self._told(domain, switched=True)

    async def _told(self, domain: str, **more: Any) -> CommandReply:
        rows = await self._keys.records(domain)
        records = [
            {
                "name": _name(row, domain), "type": "TXT", "value": row["public_record"], "selector": row["selector"],
                "use": "signs" if row["active"] else "waits" if row["activated_at"] is None else "signed before",
            }
            for row in rows
        ]  # fmt: skip
        return CommandReply(ok=True, extra={"domain": domain, "records": records, **more})

    async def verify(self, domain: str) -> list[Check]:
        """Look at every record now."""
        signing = [row for row in await self._keys.records(domain) if row["active"]]
        checks = [await self._dkim(row, domain) for row in signing]
        checks.append(domains.spf(domain, self._spf, await _asked(self._names.text(domain))))
        checks.append(domains.dmarc(domain, await _asked(self._names.text(f"_dmarc.{domain}"))))
        checks += domains.mx(domain, self._host, await self._exchangers(domain))
        checks.append(domains.mta_sts(domain, await _asked(self._names.text(f"_mta-sts.{domain}"))))
        return checks

    async def _dkim(self, row: Record, domain: str) -> Check:
        name = _name(row, domain)
        return domains.dkim(name, row["public_record"], await _asked(self._names.text(name)))

    async def _exchangers(self, domain: str) -> list[str] | None:
        try:
            return [host for _, host in sorted((await self._names.exchangers(domain)).hosts)]
        except NoSuchName:
            return []
        except LookupFailed:
            return None


def _name(row: Record, domain: str) -> str:
    return f"{row['selector']}._domainkey.{domain}"


async def _asked(question: Awaitable[Sequence[str]]) -> Sequence[str] | None:
    """None: nobody could answer."""
    try:
        return await question
    except LookupFailed:
        return None
