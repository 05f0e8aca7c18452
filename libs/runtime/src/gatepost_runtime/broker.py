"""The connection to NATS: starts without it, waits for it for ever, says why it is not ready, and ends on a refusal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from faststream.middlewares import AckPolicy
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy as ServerAckPolicy
from nats.js.errors import NotFoundError

from gatepost_contracts.catalogue import SERVICES
from gatepost_runtime.errors import Fatal
from gatepost_runtime.logging import get_logger
from gatepost_runtime.policy import Guarded, Rules
from gatepost_runtime.rows import On, check_rows
from gatepost_runtime.streams import EVENTS, check_version, filters_of, subjects_of
from gatepost_runtime.subscriber import Pulled, subscribe
from gatepost_runtime.users import inbox

log = get_logger()
_REFUSALS = ("permissions violation", "authorization violation", "authentication expired", "account authentication")


class Broker(NatsBroker):
    """One service's connection. `start` returns at once; the work is done by a task that never gives up."""

    def __init__(
        self,
        service: str,
        url: str,
        rules: Rules,
        *,
        graceful_timeout_s: float,
        fatal: Callable[[str], None],
        connected: Sequence[Callable[[Client], Any]] = (),
    ) -> None:
        super().__init__(
            [part.strip() for part in url.split(",")],
            name=f"gatepost-{service}",
            ack_policy=AckPolicy.NACK_ON_ERROR,  # the default would destroy the event of a handler that raised
            apply_types=False,
            logger=None,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=5,
            graceful_timeout=graceful_timeout_s,
            inbox_prefix=inbox(service),
            error_cb=self._on_error,
            closed_cb=self._on_closed,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            middlewares=[partial(Guarded, rules=rules)],
            specification_url="nats://gatepost",
        )
        self.service, self.rules = service, rules
        self._fatal, self._connected = fatal, connected
        self._starting: asyncio.Task[None] | None = None
        self._problem: str | None = "not connected yet"
        self.is_stopping = False

    def wire(self, rows: Sequence[On], actor: object | None) -> None:
        """Make the rows subscribers."""
        check_rows(self.service, rows)
        for row in rows:
            self.rules.rows[row.durable(self.service)] = row
            subscribe(self, self.service, row, actor, self.rules)

    @property
    def pulled(self) -> list[Pulled]:
        """The subscribers."""
        return [sub for sub in self.subscribers if isinstance(sub, Pulled)]

    @property
    def client(self) -> Client | None:
        """The connection, once there was one."""
        return self._connection

    async def start(self) -> None:
        """Begin to connect; does not wait."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._bring_up(), name="broker")

    async def _bring_up(self) -> None:
        try:
            client = await self.connect()
            check_version(client.connected_server_version)
            js = client.jetstream(timeout=5)
            self.rules.publish_dead = partial(_publish, client.jetstream(timeout=5))
            for tell in self._connected:
                if asyncio.iscoroutine(told := tell(client)):
                    await told
            for durable in self.rules.rows:
                await self._wait_for(js, durable)
            await super().start()
            self._problem = None
            log.info("connected to the broker", durables=len(self.pulled))
        except Fatal as reason:
            self._fatal(str(reason))

    async def _wait_for(self, js: JetStreamContext, durable: str) -> None:
        """Until the durable is there; another filter or ack policy than ours is fatal."""
        while True:
            try:
                config = (await js.consumer_info(EVENTS, durable)).config
                break
            except NotFoundError:
                self._problem = f"the durable {durable} is missing; run `gatepost streams apply`"
            except Exception as reason:
                self._problem = f"the durable {durable} could not be looked up: {type(reason).__name__}"
            await asyncio.sleep(1)
        row = self.rules.rows[durable]
        is_ours = self.service in SERVICES  # another's durable may see one mailbox alone
        is_as_declared = not is_ours or subjects_of(config) == sorted(filters_of(row.types))
        if not is_as_declared or config.ack_policy != ServerAckPolicy.EXPLICIT:
            raise Fatal(f"the durable {durable} is not as this release declares it; run `gatepost streams apply`")
        self.rules.beat_s[durable] = min(config.ack_wait or row.ack_wait_s, row.ack_wait_s) / 3

    def problem(self) -> str | None:
        """Why events do not flow, if they do not."""
        if self.is_stopping:
            return "stopping"
        if self._problem is not None:
            return f"broker: {self._problem}"
        if self._connection is None or not self._connection.is_connected:
            return "broker: not connected"
        return next((found for sub in self.pulled if (found := sub.problem())), None)

    @property
    def is_alive(self) -> bool:
        """False when something ended that should never end."""
        start_failed = (
            self._starting is not None
            and self._starting.done()
            and not self._starting.cancelled()
            and self._starting.exception() is not None
        )
        return not start_failed and not any(sub.is_dead for sub in self.pulled)

    async def halt(self) -> None:
        """Stop fetching and wait for what runs; the connection stays, for its last acks and publishes."""
        self.is_stopping = True
        for sub in self.pulled:
            sub.running = False  # first all of them, so that their loops end side by side
        self.rules.gate.stop()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        await asyncio.gather(*(sub.stop() for sub in self.pulled), return_exceptions=True)

    async def stop(self, *_: Any) -> None:
        """Leave the broker."""
        self.is_stopping = True
        await self.halt()
        if self._connection is not None:
            with contextlib.suppress(Exception):  # drain raises while it reconnects; there is nothing to drain then
                await asyncio.wait_for(self._connection.flush(timeout=2), timeout=3)
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._connection.close(), timeout=3)
            self._connection = None
        self.config.disconnect()

    async def _on_error(self, error: Exception) -> None:
        """Only here the server says that something was refused: the asker sees a time-out."""
        words = str(error)
        if any(refusal in words.lower() for refusal in _REFUSALS):
            self._fatal(f"the broker refused us as user of {self.service}: {words}")
        elif not self.is_stopping:
            if self._connection is None:
                self._problem = f"no connection: {type(error).__name__}"
            log.debug("broker", reason=repr(error))

    async def _on_closed(self) -> None:
        if not self.is_stopping and self._connection is not None:
            self._fatal("the connection to the broker was closed for good")

    async def _on_disconnected(self) -> None:
        if not self.is_stopping:
            log.warning("the broker is away")

    async def _on_reconnected(self) -> None:
        log.info("the broker is back")


async def _publish(js: JetStreamContext, subject: str, body: bytes, headers: dict[str, str]) -> Any:
    return await js.publish(subject, body, headers=headers, timeout=5)
