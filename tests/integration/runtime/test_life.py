"""The life of a service process: who it waits for, what it says of itself, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost_contracts.email import EmailReceived, EmailRejected
from gatepost_runtime.rows import On, Wired
from gatepost_runtime.settings import StreamSettings
from gatepost_runtime.streams import apply
from support.runtime import Broker, FakeStore, Running, eventually, free_port, get, received

SCRIPT = Path(__file__).parents[2] / "support" / "service_process.py"


async def ignore(event: Any) -> None:
    """A handler that has nothing to do."""


DRAFTER = Wired((On(EmailReceived, ignore), On(EmailRejected, ignore)))


class Spawned:
    """One process of the small service."""

    def __init__(self, log: Path, url: str, seconds: float = 0, **environment: str) -> None:
        self.log, self.health = log, free_port()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GATEPOST_")}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "drafter", str(log), str(seconds)],
            env=kept | {
                "GATEPOST_ENV": "dev", "GATEPOST_NATS_URL": url, "GATEPOST_DATABASE_URL": "postgresql://x@127.0.0.1/x",
                "GATEPOST_HEALTH_PORT": str(self.health), "GATEPOST_GRACEFUL_TIMEOUT_S": "10",
            } | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def says(self, path: str) -> tuple[int, str]:
        try:
            status, body = get(f"http://127.0.0.1:{self.health}{path}")
        except OSError:
            return 0, ""
        return status, body.decode()

    async def ready(self) -> None:
        await eventually(lambda: asyncio.to_thread(lambda: self.says("/readyz")[0] == 200), "readiness", 20)

    async def ended(self, within_s: float = 20) -> int:
        return await asyncio.to_thread(self.process.wait, within_s)

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., Spawned]]:
    spawned: list[Spawned] = []

    def start(*arguments: Any, **environment: str) -> Spawned:
        spawned.append(Spawned(tmp_path / f"log{len(spawned)}", *arguments, **environment))
        return spawned[-1]

    yield start
    for one in spawned:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


async def publish(operator: Any, count: int) -> set[str]:
    events = [received() for _ in range(count)]
    for event in events:
        await operator.jetstream().publish(event.subject, event.encode())
    return {event.event_id for event in events}


async def test_sigterm_finishes_what_runs_and_gives_back_the_rest(
    declared: Broker, operator: Any, spawn: Callable[..., Spawned]
) -> None:
    """Nobody waits for ack_wait because a replica was stopped: handlers finish, the rest goes to the other at once."""
    await apply(declared.url("operator"), StreamSettings(GATEPOST_ACK_WAIT_S=30))
    first = spawn(declared.url("drafter"), 0.3)
    second = spawn(declared.url("drafter"), 0.3)
    await first.ready()
    await second.ready()
    events = await publish(operator, 40)
    await eventually(lambda: len(first.lines()) > 2, "work")

    first.process.send_signal(signal.SIGTERM)

    assert await first.ended() == 0

    def all_done() -> bool:
        return events == {line.split()[1] for line in first.lines() + second.lines() if line.startswith("done")}

    await eventually(all_done, "every event, long before ack_wait", 10)
    lines = first.lines() + second.lines()
    assert len(events) == sum(line.startswith("begun") for line in lines)
    assert first.lines()[-1] == "store closed"
    assert "loop ended" in first.lines()


async def test_it_waits_for_a_broker_that_is_away(tmp_path: Path, spawn: Callable[..., Spawned]) -> None:
    """Alive and not ready; then missing streams, still alive; then ready, with nothing done by hand."""
    server = Broker(tmp_path)
    one = spawn(server.url("drafter"))
    await eventually(lambda: asyncio.to_thread(lambda: one.says("/livez")[0] == 200), "the health port", 20)
    assert one.says("/readyz")[0] == 503
    server.start()
    try:
        said = lambda words: asyncio.to_thread(lambda: words in one.says("/readyz")[1])  # noqa: E731
        await eventually(lambda: said("gatepost streams apply"), "the reason", 20)
        assert one.says("/livez")[0] == 200

        await apply(server.url("operator"), StreamSettings())

        await one.ready()
        assert "gatepost_service" in one.says("/metrics")[1]
        server.kill()
        await eventually(lambda: said("not connected"), "the loss", 10)
        server.start()
        await one.ready()
    finally:
        server.kill()


async def test_a_broker_killed_under_load_loses_nothing(declared: Broker, run: Any) -> None:
    """It reconnects by itself and handles every event that was acknowledged, some perhaps twice."""
    import nats

    seen: set[str] = set()

    async def take(event: EmailReceived) -> None:
        seen.add(event.event_id)

    await run("drafter", Wired((On(EmailReceived, take), On(EmailRejected, ignore))))
    client = await nats.connect(declared.url("operator"), inbox_prefix="_INBOX_operator", max_reconnect_attempts=-1)
    wanted = await publish(client, 100)
    declared.kill()
    await asyncio.sleep(0.3)
    declared.start()
    wanted |= await publish(client, 100)
    await client.close()

    await eventually(lambda: wanted <= seen, "every event", 15)


async def test_sigterm_while_the_broker_is_away_ends_cleanly(declared: Broker, spawn: Callable[..., Spawned]) -> None:
    """Drain would raise then; there is nothing to drain."""
    one = spawn(declared.url("drafter"))
    await one.ready()
    declared.kill()
    await asyncio.sleep(0.5)

    one.process.send_signal(signal.SIGTERM)

    assert await one.ended() == 0


@pytest.mark.parametrize("case", ["another's user", "a wrong password"])
async def test_another_users_connection_ends_the_process(
    declared: Broker, spawn: Callable[..., Spawned], case: str
) -> None:
    """A refused publish looks like a time-out to its caller; so the process leaves, and says what is wrong."""
    url = declared.url("sender") if case == "another's user" else declared.url("drafter", "wrong")
    one = spawn(url)

    assert await one.ended() == 78
    output = one.process.stdout.read()  # type: ignore[union-attr]
    assert "cannot run as it is set up" in output


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"GATEPOST_NATS_URL": ""}, "GATEPOST_NATS_URL"),
        ({"GATEPOST_HEALTH_PORT": "many"}, "GATEPOST_HEALTH_PORT"),
        ({"GATEPOST_ENV": "staging"}, "GATEPOST_ENV"),
        ({"GATEPOST_ENV": "production"}, "GATEPOST_KEYS_DIR"),
        ({"GATEPOST_NATS_URL_FILE": "/nowhere/at-all", "GATEPOST_NATS_URL": ""}, "GATEPOST_NATS_URL_FILE"),
    ],
)
async def test_a_wrong_setting_stops_the_start(
    spawn: Callable[..., Spawned], environment: dict[str, str], words: str
) -> None:
    """One clear line that names the variable, and status 2; not a trace, not the third message."""
    one = spawn("nats://x:geheim@127.0.0.1:1", **environment)

    assert await one.ended() == 2
    said = one.process.stderr.read()  # type: ignore[union-attr]
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert "geheim" not in said


async def test_a_deleted_durable_is_waited_for(run: Any, operator: Any, declared: Broker, monkeypatch: Any) -> None:
    """Idle and not ready; it never makes one itself, and reads on when it was declared again."""
    running: Running = await run("drafter", DRAFTER)
    js = operator.jetstream()
    await js.delete_consumer("EVENTS", "drafter_email_received")
    await eventually(lambda: _says(running, "gatepost streams apply"), "the reason")
    names = {info.name for info in await js.consumers_info("EVENTS")}
    assert "drafter_email_received" not in names

    await apply(declared.url("operator"), StreamSettings(GATEPOST_ACK_WAIT_S=2))

    await eventually(running.is_ready, "readiness")


async def _says(running: Running, words: str) -> bool:
    return words in await running.why_not()


async def test_a_durable_of_another_release_is_fatal(run: Any, operator: Any) -> None:
    """Another filter would feed the handler what it cannot read."""
    from nats.js.api import AckPolicy, ConsumerConfig

    js = operator.jetstream()
    await js.delete_consumer("EVENTS", "drafter_email_received")
    await js.add_consumer(
        "EVENTS",
        ConsumerConfig(
            durable_name="drafter_email_received", filter_subject="email.held.*", ack_policy=AckPolicy.EXPLICIT
        ),
    )

    running: Running = await run("drafter", DRAFTER, ready=False)

    assert running.task is not None
    assert await asyncio.wait_for(running.task, 10) == 78


async def test_a_database_that_is_away_is_waited_for(declared: Broker) -> None:
    """Alive, not ready, no crash; and the reason is told."""
    store = FakeStore()
    store.away = "no route to the database"
    running = Running("drafter", declared.url("drafter"), DRAFTER, store)
    await running.start(ready=False)
    await asyncio.sleep(0.5)
    assert running.task is not None
    assert not running.task.done()
    assert "database" in await running.why_not()

    store.away = None
    await eventually(running.is_ready, "readiness")

    assert await running.stop() == 0
    assert store.closed


async def test_a_loop_that_fails_is_begun_again(run: Any) -> None:
    """One bad turn must not stop a sender for good."""
    turns = 0

    async def loop() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise RuntimeError("once")
        await asyncio.Event().wait()

    running: Running = await run("drafter", Wired(DRAFTER.handlers, tasks=(loop,)))

    await eventually(lambda: turns == 2, "the second turn")
    assert await running.is_ready()


async def test_an_http_application_is_served_and_stopped(run: Any) -> None:
    """The api's own port, beside the health port."""
    port = free_port()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"path": scope["path"]}).encode()})

    running: Running = await run("api", Wired(http=app, http_bind=("127.0.0.1", port)))
    status, body = await asyncio.to_thread(get, f"http://127.0.0.1:{port}/v1/x")

    assert (status, json.loads(body)) == (200, {"path": "/v1/x"})
    assert await running.stop() == 0
