"""The live auditor: replays what the sequencer placed, holds it against the rows, and alerts on the first deviation.

Two looks. Each new record is replayed through the table, with the rest of its mail's records, and compared with the row
when the row is at that version. And in rounds over all mails, mailboxes and accounts, some at a time: a row that was edited
by hand has no new record to be found by. A deviation is counted, logged as an error once for each of them, told to the
account's oversight address once a day, and never repaired from here.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from gatepost_oversight.replay import Deviation, Replay
from gatepost_store import Store
from gatepost_store.audit.proofs import Q
from gatepost_store.audit.trace import compare, records_of, replayed

log = structlog.get_logger()
Alert = Callable[[str, str, int], Awaitable[None]]
"""Told of an account, a subject and a number."""
KEPT = 5_000
PAGE = 500


class Auditor:
    """Reads what others wrote; its only row is how far it has come."""

    def __init__(
        self,
        store: Store,
        registry: CollectorRegistry,
        *,
        interval_s: float,
        round_size: int,
        alert: Alert | None = None,
    ) -> None:
        self._store, self._reader, self._alert = store, store.reading, alert
        self._interval_s, self._round_size = interval_s, round_size
        self._replays: OrderedDict[str, Replay] = OrderedDict()
        self._broken: set[str] = set()
        self._round_at = ""
        self._deviations = Counter(
            "gatepost_audit_deviations", "Mails whose log and rows do not agree, or whose log breaks the table.",
            registry=registry,
        )  # fmt: skip
        self._behind = Gauge("gatepost_audit_behind", "Records in the log not replayed yet.", registry=registry)

    async def run(self) -> None:
        """For ever."""
        while True:
            more = await self.follow()
            if not more:
                await self.round()
                await asyncio.sleep(self._interval_s)

    async def follow(self) -> bool:
        """Replay the next records of the log; True when there are more."""
        tree = await self._reader.fetchrow(Q["tree"])
        if tree is None or tree["audited"] >= tree["size"]:
            return False
        start = tree["audited"]
        rows = await self._reader.fetch(Q["log_page"], start, start + PAGE, PAGE)
        records = [json.loads(row["record"]) for row in rows]
        await self._take(records)
        async with self._store.transaction() as connection:
            await connection.execute(Q["audited"], start, start + len(rows))
        self._behind.set(tree["size"] - start - len(rows))
        return bool(rows) and start + len(rows) < tree["size"]

    async def round(self) -> None:
        """Compare the next mails of the round over all of them."""
        rows = await self._reader.fetch(Q["subjects_after"], self._round_at, self._round_size)
        self._round_at = rows[-1]["id"] if len(rows) == self._round_size else ""
        names = [row["id"] for row in rows if row["id"] not in self._broken]
        records = await records_of(self._reader, names)
        unborn = [name for name, said in records.items() if not said]
        replays, broken = replayed({name: said for name, said in records.items() if said})
        await self._tell([Deviation(name, 0, "there is no record of it") for name in unborn])
        await self._tell([*broken, *await compare(self._reader, replays, is_live=True)])

    async def _take(self, records: list[dict[str, Any]]) -> None:
        missing = {r["message"] for r in records} - set(self._replays) - self._broken
        firsts = {r["message"]: r["seq"] for r in reversed(records) if r["message"] in missing}
        history = await records_of(self._reader, [name for name, seq in firsts.items() if seq > 1])
        before = {name: [r for r in said if r["seq"] < firsts[name]] for name, said in history.items()}
        replays, broken = replayed({name: before.get(name, []) for name in firsts})
        await self._tell(broken)
        self._replays |= replays
        touched: dict[str, Replay] = {}
        for record in records:
            one = self._replays.get(record["message"])
            if one is None or record["seq"] <= one.seq:
                continue  # broken before, or replayed with the history
            try:
                one.take(record)
            except Deviation as deviation:
                await self._tell([deviation])
                touched.pop(one.subject, None)
            else:
                touched[one.subject] = one
                self._replays.move_to_end(one.subject)
        await self._tell(await compare(self._reader, touched, is_live=True))
        while len(self._replays) > KEPT:
            self._replays.popitem(last=False)

    async def _tell(self, deviations: Sequence[Deviation]) -> None:
        for deviation in deviations:
            self._replays.pop(deviation.subject, None)
            if deviation.subject not in self._broken:
                self._broken.add(deviation.subject)
                self._deviations.inc()
                log.error(
                    "the log and the table or a row do not agree", subject=deviation.subject, seq=deviation.seq,
                    why=deviation.why,
                )  # fmt: skip
                await self._warn(deviation)

    async def _warn(self, deviation: Deviation) -> None:
        """What cannot be told by mail was logged and counted; the rounds go on."""
        account = await self._reader.fetchval(Q["account_of"], deviation.subject)
        if self._alert is None or account is None:
            return
        try:
            await self._alert(account, deviation.subject, deviation.seq)
        except Exception as error:
            log.warning("a deviation could not be told", error=f"{type(error).__name__}: {error}")
