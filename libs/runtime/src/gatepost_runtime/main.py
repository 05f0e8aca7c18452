"""The life of a service process: start without waiting for anyone, wait for ever, stop cleanly.

Status 0: it was asked to stop and did. 2: its settings are wrong. 78: it is set up wrongly (another's broker user, a
missing key, a declaration of another release), and starting it again will not help until somebody changes that.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gatepost_runtime.asyncapi import document
from gatepost_runtime.broker import Broker
from gatepost_runtime.commands import Server
from gatepost_runtime.errors import Fatal
from gatepost_runtime.health import Health, HttpServer
from gatepost_runtime.logging import configure, get_logger
from gatepost_runtime.policy import Rules
from gatepost_runtime.rows import Loop, Wired
from gatepost_runtime.service import Service
from gatepost_runtime.settings import RuntimeSettings, own_settings, read

if TYPE_CHECKING:
    from gatepost_store import Store

OK, WRONG_SETUP, CRASHED = 0, os.EX_CONFIG, 1
Wire = Callable[[Service], Awaitable[Wired]]
OpenStore = Callable[[RuntimeSettings, str], Awaitable["Store"]]
log = get_logger()


def serve(name: str, wire: Wire, *, open_store: OpenStore | None = None) -> None:
    """Run one service until SIGTERM or SIGINT; the main() of each. With the word `replay` it replays instead."""
    settings = read(RuntimeSettings)
    for own in (*own_settings(name), *own_settings("store")):
        read(own)
    if sys.argv[1:2] == ["replay"]:
        from gatepost_runtime.replay import main

        sys.exit(main(name, wire, settings, sys.argv[2:]))
    configure(name, settings.log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        status = runner.run(Process(name, settings, wire, open_store or _open_store).run())
    sys.stdout.flush()
    sys.exit(status)


class Process:
    """One run of one service."""

    def __init__(self, name: str, settings: RuntimeSettings, wire: Wire, open_store: OpenStore) -> None:
        self.name, self.settings = name, settings
        self._wire, self._open_store = wire, open_store
        self.service = Service(name, settings)
        self._rules = Rules(
            name, {}, self.service.flows, self.service.metrics,
            first_retry_s=settings.first_retry_s, max_retry_s=settings.max_retry_s,
            store_is_down=_is_store_down, store_answers=self._store_answers,
        )  # fmt: skip
        self._wired = Wired()
        self._server: Server | None = None
        self._http: HttpServer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._bringing_up: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._status = OK

    async def run(self) -> int:
        """From start to end; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.leave, OK)
        pages = Health(self._alive, self._ready, self.service.registry, self._asyncapi)
        health = HttpServer(pages, self.settings.health_host, self.settings.health_port)
        try:
            await health.start()
        except OSError as reason:
            log.error("the health port cannot be opened", reason=str(reason))  # noqa: TRY400 (the reason says it)
            return CRASHED
        log.info("started", health_port=health.port, pid=os.getpid())
        self._bringing_up = asyncio.create_task(self._bring_up(), name="bring up")
        await self._leave.wait()
        await self._stop()
        await health.stop()
        log.info("stopped", status=self._status)
        return self._status

    def leave(self, status: int) -> None:
        """Stop; the first reason counts."""
        if not self._leave.is_set():
            self._status = status
            log.info("stopping", status=status)
            self._leave.set()

    def fatal(self, reason: str) -> None:
        """End, because somebody has to change something."""
        if not self._leave.is_set():
            log.error("this service cannot run as it is set up", reason=reason)
            self.leave(WRONG_SETUP)

    # -- start -----------------------------------------------------------------------------------------------

    async def _bring_up(self) -> None:
        try:
            self.service.store = await self._wait_for_store()
            self.service.broker = broker = Broker(
                self.name, self.settings.nats_url, self._rules,
                graceful_timeout_s=self.settings.graceful_timeout_s, fatal=self.fatal,
                connected=(self.service.publisher.connected, self.service.asker.connected, self._serve_commands),
            )  # fmt: skip
            self.service.store.publisher = self.service.publisher.publish
            self._wired = await self._wire_when_possible()
            self._server = Server(self.name, self._wired.commands, self.service.flows, self.service.metrics)
            broker.wire(self._wired.handlers, self._wired.actor)
            await broker.start()
            self._run_for_ever(self.service.store.sweep)
            for task in self._wired.tasks:
                self._run_for_ever(task)
            await self._open_http()
            spare_collector()
        except Fatal as reason:
            self.fatal(str(reason))
        except ValidationError as reason:
            self.fatal(f"settings: {reason}")
        except Exception:
            log.exception("the start failed")
            self.leave(CRASHED)

    async def _wait_for_store(self) -> Store:
        """The database, however long it takes to come up or to be migrated."""
        told = ""
        while True:
            store: Store | None = None
            try:
                store = await self._open_store(self.settings, self.name)
                await store.ready()
            except (Fatal, ValidationError, TypeError, AttributeError, NameError, ImportError):
                raise
            except Exception as reason:
                words = f"{type(reason).__name__}: {reason}"
                self.service.store_is_missing = words
                if words != told:
                    log.warning("waiting for the database", reason=words)
                    told = words
                if store is not None:
                    await _quietly(store.close())
                await asyncio.sleep(1)
            else:
                return store

    async def _wire_when_possible(self) -> Wired:
        """What the service is made of; the database may go away in the middle of that."""
        while True:
            try:
                return await self._wire(self.service)
            except Exception as reason:
                if not _is_store_down(reason):
                    raise
                log.warning("the database went away during the start", reason=str(reason))
                await asyncio.sleep(1)

    async def _serve_commands(self, client: Any) -> None:
        if self._server is not None:
            await self._server.connected(client)

    async def _open_http(self) -> None:
        if self._wired.http is None:
            return
        host, port = self._wired.http_bind or ("127.0.0.1", 0)
        server = HttpServer(
            self._wired.http, host, port, graceful_timeout_s=self.settings.graceful_timeout_s, lifespan="auto"
        )
        await server.start()
        self._http = server
        log.info("listening", host=host, port=server.port)

    def _run_for_ever(self, loop: Loop) -> None:
        name = getattr(loop, "__qualname__", None) or repr(loop)
        self._tasks.add(asyncio.create_task(self._again_and_again(name, loop), name=name))

    async def _again_and_again(self, name: str, loop: Loop) -> None:
        """A loop that failed is begun again; one that returned has finished."""
        pause = 0.5
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await loop()
            except Exception as reason:
                self.service.metrics.task_failures.labels(name).inc()
                if self.service.stopping.is_set():
                    return
                if asyncio.get_running_loop().time() - began > 60:
                    pause = 0.5
                if _is_store_down(reason):
                    log.warning("a loop lost the database and begins again", task=name, pause_s=pause)
                else:
                    log.exception("a loop failed and begins again", task=name, pause_s=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 15)
            else:
                return

    # -- health ----------------------------------------------------------------------------------------------

    def _alive(self) -> str | None:
        broker = getattr(self.service, "broker", None)
        if broker is not None and not broker.is_alive:
            return "a loop that reads events has ended"
        return None

    async def problem(self) -> str | None:
        """Why it is not ready, if it is not."""
        return await self._ready()

    async def _ready(self) -> str | None:
        if self._leave.is_set():
            return "stopping"
        if problem := await self.service.store_problem():
            return problem
        if self._bringing_up is None or not self._bringing_up.done():
            return "starting"
        broker = getattr(self.service, "broker", None)
        return broker.problem() if broker is not None else "broker: not connected yet"

    def _asyncapi(self) -> dict[str, Any] | None:
        if self._bringing_up is None or not self._bringing_up.done():
            return None
        return document(self.name, tuple(self._rules.rows.values()))

    async def _store_answers(self) -> None:
        await self.service.store.ready()

    # -- stop ------------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        """Give back what has not begun, finish what runs, commit, publish, leave."""
        limit = self.settings.graceful_timeout_s
        service = self.service
        service.stopping.set()
        service.wake.set()
        if self._bringing_up is not None and not self._bringing_up.done():
            self._bringing_up.cancel()
            await asyncio.wait({self._bringing_up}, timeout=limit)
        broker = getattr(service, "broker", None)
        ends: list[Awaitable[Any]] = [self._end_tasks(limit)]
        if broker is not None:
            ends.append(broker.halt())
        if self._server is not None:
            ends.append(self._server.stop(limit))
        if self._http is not None:
            ends.append(self._http.stop())
        await asyncio.wait([asyncio.ensure_future(end) for end in ends], timeout=limit + 5)
        for close in self._wired.close:
            await _quietly(close())
        await service.close_store()
        if broker is not None:
            await _quietly(broker.stop())
        await _quietly(asyncio.to_thread(service.flows.close))

    async def _end_tasks(self, limit: float) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=limit)
            for task in left:
                log.warning("a loop did not end in time", task=task.get_name())


async def _open_store(settings: RuntimeSettings, name: str) -> Store:
    from gatepost_store import Queries, Store

    queries = Queries.of(f"gatepost_{name}")
    return await Store.open(settings.database_url, service=name, queries=queries)


def _is_store_down(reason: BaseException) -> bool:
    """True when the database is away, as opposed to: this statement is wrong."""
    store_errors = sys.modules.get("gatepost_store")
    unavailable = getattr(store_errors, "StoreUnavailable", None)
    return isinstance(unavailable, type) and isinstance(reason, unavailable)


def spare_collector() -> None:
    """Leave what was made at the start out of every later search for garbage, and search seldom.

    Modules, models and tables live as long as the process; looking through all of them again and again took a tenth of
    a busy service's time. What handlers make is freed by its last reference as before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _quietly(closing: Awaitable[Any]) -> None:
    """Close something at the end; its failure changes nothing any more, but is told."""
    try:
        await asyncio.wait_for(closing, timeout=10)
    except Exception:
        log.warning("something did not close cleanly", trace=traceback.format_exc(limit=3))
