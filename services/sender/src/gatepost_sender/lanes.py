"""Connections kept per destination, and how many attempts one destination may have at a time.

A lane starts small and widens by one with each mail that was handed over; a destination that cannot be reached, or
says 421, halves it. So a slow or dead neighbour holds few attempts, and a quick one soon has its full width.
A kept connection whose server gave up fails at MAIL before anything was said about the mail: that mail is tried once
more at once on a fresh connection, and this does not count as an attempt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from gatepost_sender.driver import Announce, Connection, Ended, NotAnnounced, Stage, StageFailed
from gatepost_sender.envelope import Envelope
from gatepost_sender.route import Host, Route

_START_WIDTH = 4
_AVOID_S = 30.0
_REST_MOST_S = 60.0
Tell = Callable[[str, str, str, str], None]


@dataclass(slots=True)
class Lane:
    """One destination's kept connections and its width."""

    width: float
    running: int = 0
    failures: int = 0  # in a row, of connections that could not be made
    rests_until: float = 0.0
    kept: list[tuple[float, Connection]] = field(default_factory=list)


class Lanes:
    """All destinations."""

    def __init__(
        self, *, width_max: int, idle_s: float, mails_per_connection: int, clock: Callable[[], float] = time.monotonic,
        tell_tls: Tell = lambda *_: None,
    ) -> None:  # fmt: skip
        self._width_max, self._idle_s, self._mails = width_max, idle_s, mails_per_connection
        self._clock, self._tell_tls = clock, tell_tls
        self._avoided: dict[tuple[str, int], float] = {}
        self._lanes: dict[str, Lane] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def _lane(self, name: str) -> Lane:
        return self._lanes.setdefault(name, Lane(width=min(_START_WIDTH, self._width_max)))

    def has_room(self, name: str) -> bool:
        """Another attempt may begin there."""
        lane = self._lanes.get(name)
        return lane is None or self._is_open(lane)

    def _is_open(self, lane: Lane) -> bool:
        return lane.running < int(lane.width) and lane.rests_until <= self._clock()

    @property
    def full(self) -> list[str]:
        """The lanes where no further attempt may begin now."""
        return [name for name, lane in self._lanes.items() if not self._is_open(lane)]

    def enter(self, name: str) -> None:
        """An attempt begins; it must leave()."""
        self._lane(name).running += 1

    def leave(self, name: str) -> None:
        """An attempt ended, whatever way."""
        self._lane(name).running -= 1

    async def send(self, route: Route, envelope: Envelope, announce: Announce) -> dict[str, Ended]:
        """One attempt: over a kept connection where there is one, else over a new one."""
        lane = self._lane(route.lane)
        connection = self._take(lane)
        if connection is not None:
            ended = await connection.transact(envelope, announce)
            if not all(one.is_stale for one in ended.values()):
                self._settle(lane, connection, ended)
                return ended
            self._take_leave(connection)
        try:
            connection = await self._open(route)
        except StageFailed as failed:
            lane.width = max(1.0, lane.width / 2)
            lane.failures += 1
            if lane.failures > 1:  # nobody is there: all its mail waits a little, and keeps no attempt from others
                lane.rests_until = self._clock() + min(_REST_MOST_S, 0.25 * 2 ** min(lane.failures, 10))
            return dict.fromkeys(envelope.recipients, failed.ended)
        lane.failures, lane.rests_until = 0, 0.0
        try:
            ended = await connection.transact(envelope, announce)
        except NotAnnounced:
            await connection.quit()
            raise
        self._settle(lane, connection, ended)
        return ended

    async def _open(self, route: Route) -> Connection:
        """The first host that can be made ready; the last host's failure where none can.

        A host that just failed comes last for a while, so that the next mail does not wait for it again.
        """
        failure: StageFailed | None = None
        now = self._clock()
        avoided = {key for key, until in self._avoided.items() if until > now}
        for host in sorted(route.hosts, key=lambda h: (h.address, h.port) in avoided):
            try:
                connection = await Connection.open(host.address, host.port, host.manner, name=host.name)
            except StageFailed as failed:
                failure = failed
                self._avoided[host.address, host.port] = now + _AVOID_S
                self._count_tls(route, host, failed.failure)
            else:
                self._avoided.pop((host.address, host.port), None)
                self._count_tls(route, host, connection.tls)
                return connection
        raise failure or StageFailed(Stage.QUEUE, why="the domain names no exchanger")

    def _count_tls(self, route: Route, host: Host, result: str) -> None:
        if result and route.domain:
            self._tell_tls(route.domain, host.policy, host.name, result)

    def _take(self, lane: Lane) -> Connection | None:
        while lane.kept:
            since, connection = lane.kept.pop()
            if connection.is_usable and self._clock() - since < self._idle_s:
                return connection
            self._take_leave(connection)
        return None

    def _settle(self, lane: Lane, connection: Connection, ended: dict[str, Ended]) -> None:
        """Widen or narrow the lane, keep the connection or leave it."""
        replies = [one.reply for one in ended.values()]
        if any(reply is None or reply.code == 421 for reply in replies):
            lane.width = max(1.0, lane.width / 2)
        else:
            lane.width = min(float(self._width_max), lane.width + 1)
        is_over = any(reply is None or reply.code == 421 for reply in replies)
        if is_over or not connection.is_usable or connection.mails >= self._mails or len(lane.kept) >= self._width_max:
            self._take_leave(connection)
        elif all(reply is not None and reply.kind == 2 for reply in replies):
            lane.kept.append((self._clock(), connection))
        else:
            self._in_background(self._reset(lane, connection))  # the outcome does not wait for it

    async def _reset(self, lane: Lane, connection: Connection) -> None:
        if await connection.reset():
            lane.kept.append((self._clock(), connection))
        else:
            await connection.quit()

    def _take_leave(self, connection: Connection) -> None:
        self._in_background(connection.quit())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def tidy(self) -> None:
        """Leave connections that were idle too long, and forget lanes nobody uses."""
        now = self._clock()
        self._avoided = {key: until for key, until in self._avoided.items() if until > now}
        for name, lane in list(self._lanes.items()):
            old = [c for since, c in lane.kept if now - since >= self._idle_s or not c.is_usable]
            lane.kept = [(since, c) for since, c in lane.kept if c not in old]
            for connection in old:
                self._take_leave(connection)
            if not lane.kept and not lane.running and lane.rests_until <= now:
                del self._lanes[name]

    async def keep_tidy(self) -> None:
        """Again and again."""
        while True:
            await asyncio.sleep(max(1.0, self._idle_s / 4))
            self.tidy()

    async def close(self) -> None:
        """Take leave of every server."""
        for lane in self._lanes.values():
            while lane.kept:
                self._take_leave(lane.kept.pop()[1])
        if self._leaving:
            await asyncio.wait(set(self._leaving), timeout=3)
