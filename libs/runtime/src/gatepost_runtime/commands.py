"""Commands: how one is asked, and how a server makes sure that it really was asked.

NATS does not check the reply subject of a request. A user who may publish anything can make the broker send its own
answer, or a stored event, to a command's subject. So a request counts only when its subject is a command's, its reply goes
to the inbox of one who may ask, and its body is that command; the server then loads the credential itself.
Nothing else is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error
from pydantic import ValidationError

from gatepost_contracts.commands import COMMANDS, Command, CommandReply
from gatepost_runtime.errors import Unavailable
from gatepost_runtime.logging import get_logger
from gatepost_runtime.metrics import Metrics
from gatepost_runtime.rows import Answer
from gatepost_runtime.tracing import Flows
from gatepost_runtime.users import ASKERS, inbox, serves

log = get_logger()
_MOST_AT_ONCE = 256


class Asker:
    """Asks commands of other services."""

    def __init__(self, flows: Flows, timeout_s: float) -> None:
        self._flows, self._timeout_s = flows, timeout_s
        self._client: Client | None = None

    def connected(self, client: Client) -> None:
        """From now on there is a broker."""
        self._client = client

    async def ask(self, command: Command) -> CommandReply:
        """The answer; Unavailable when there is none in time, and then the same command may be asked again."""
        if self._client is None or not self._client.is_connected:
            raise Unavailable("the broker is away")
        try:
            reply = await self._client.request(
                command.subject,
                command.model_dump_json().encode(),
                timeout=self._timeout_s,
                headers=self._flows.command_headers(command.command_id),
            )
            return CommandReply.model_validate_json(reply.data)
        except (TimeoutError, Error, OSError) as reason:
            raise Unavailable(f"{command.server} did not answer: {type(reason).__name__}") from reason
        except ValidationError as reason:
            raise Unavailable(f"{command.server} gave an unreadable answer") from reason


class Server:
    """Answers the commands of one service, shared with its replicas by a queue group of the service's name."""

    def __init__(self, service: str, answers: Mapping[type[Command], Answer], flows: Flows, metrics: Metrics) -> None:
        self._service, self._flows, self._metrics = service, flows, metrics
        self._answers = {f"cmd.{model.server}.{model.name}": (model, answer) for model, answer in answers.items()}
        self._askers = tuple(f"{inbox(user)}." for user in ASKERS.get(service, ()))
        self._busy: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)
        self._subscription: Subscription | None = None
        declared = {f"cmd.{key}" for key, model in COMMANDS.items() if model.server == service}
        if strangers := set(self._answers) - declared:
            raise ValueError(f"{service} does not serve {', '.join(sorted(strangers))}")

    async def connected(self, client: Client) -> None:
        """Begin to answer."""
        subject = serves(self._service)
        if self._answers and subject is not None:
            self._subscription = await client.subscribe(subject, queue=self._service, cb=self._take)

    async def stop(self, timeout_s: float) -> None:
        """Take no further one and finish what runs."""
        if self._subscription is not None:
            try:
                await self._subscription.unsubscribe()
            except Exception as reason:  # not connected: nobody can ask either
                log.debug("could not unsubscribe", reason=str(reason))
            self._subscription = None
        if self._busy:
            await asyncio.wait(set(self._busy), timeout=timeout_s)

    async def _take(self, message: Msg) -> None:
        if not self._was_asked(message):
            self._metrics.commands.labels("-", "refused").inc()
            log.warning("a command that nobody asked was refused", subject=message.subject, reply=message.reply)
            return
        await self._room.acquire()
        task = asyncio.create_task(self._answer(message))
        self._busy.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._room.release()

    def _was_asked(self, message: Msg) -> bool:
        """A bounced message has no reply subject, or one that is nobody's inbox, or a stream's own headers."""
        return message.subject.startswith(f"cmd.{self._service}.") and message.reply.startswith(self._askers)

    async def _answer(self, message: Msg) -> None:
        model, answer = self._answers.get(message.subject, (None, None))
        name = message.subject.rpartition(".")[2] if model is not None else "-"
        if model is None or answer is None:
            reply = CommandReply(ok=False, code="invalid_request", error="There is no such command.")
        else:
            reply = await self._reply(model, answer, message)
        self._metrics.commands.labels(name, reply.code).inc()
        try:
            await message.respond(reply.model_dump_json().encode())
        except Exception as reason:  # it is kept under its command_id; the asker asks again
            log.warning("an answer could not be sent", command=name, reason=str(reason))

    async def _reply(self, model: type[Command], answer: Answer, message: Msg) -> CommandReply:
        try:
            command = model.model_validate_json(message.data)
        except ValidationError:
            log.warning("an unreadable command was refused", subject=message.subject)
            return CommandReply(ok=False, code="invalid_request", error="The command could not be read.")
        with self._flows.follow(message.subject, message.headers, None, command.command_id):
            try:
                return await answer(command)
            except Exception:
                log.exception("a command failed", command=model.name)
                return CommandReply(
                    ok=False, code="unavailable", error="This cannot be done right now.", hint="Try again in a moment."
                )
