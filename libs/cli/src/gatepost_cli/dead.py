"""`gatepost dead`: events that could not be handled, and what a person does about them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import nats
import typer
from nats.js import JetStreamContext
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import database_url, nats_url
from gatepost_cli.editor import edited_text
from gatepost_cli.owner import owner_store
from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_runtime.dead import BROKER_FORGETS_S, DeadLetter, DeadLetters

T = TypeVar("T")
dead = typer.Typer(help="Dead letters: events that could not be handled.", no_args_is_help=True)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
Seq = Annotated[list[int], typer.Argument(help="Numbers, as `gatepost dead ls` shows them.")]


@asynccontextmanager
async def _letters(data: Path | None) -> AsyncIterator[tuple[DeadLetters, JetStreamContext]]:
    client = await nats.connect(
        nats_url(data), inbox_prefix="_INBOX_operator", connect_timeout=5, allow_reconnect=False
    )
    try:
        js = client.jetstream()
        yield DeadLetters(js), js
    finally:
        await client.close()


def _run(data: Path | None, work: Callable[[DeadLetters, JetStreamContext], Awaitable[T]]) -> T:
    async def whole() -> T:
        async with _letters(data) as (letters, js):
            return await work(letters, js)

    return asyncio.run(whole())


@dead.command("ls")
def ls(data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False) -> None:
    """List them, the oldest first. The exit code is 1 when there are any, for a cron job or a probe.

    Examples: gatepost dead ls; gatepost dead ls --json | jq .reason
    """

    async def work(letters: DeadLetters, _: JetStreamContext) -> list[DeadLetter]:
        return [letter async for letter in letters.all()]

    found = _run(data, work)
    if as_json:
        for letter in found:
            typer.echo(json.dumps(letter.view()))
    elif found:
        table = Table("seq", "at", "handler", "reason", "attempts", "event", "why")
        for one in found:
            table.add_row(str(one.seq), one.at[:19], f"{one.service}: {one.handler}", one.reason, str(one.attempts),
                          one.event_id or one.subject, one.words)  # fmt: skip
        Console().print(table)
    else:
        typer.echo("none")
    raise typer.Exit(1 if found else 0)


@dead.command("show")
def show(seq: Annotated[int, typer.Argument(help="Its number.")], data: Data = None) -> None:
    """Everything about one: reason, handler, attempts, trace, and the event itself.

    Example: gatepost dead show 17
    """
    letter = _run(data, lambda letters, _: _one(letters, seq))
    typer.echo(json.dumps(letter.view(), indent=2, ensure_ascii=False))


@dead.command("redrive")
def redrive(
    seq: Annotated[list[int] | None, typer.Argument(help="Numbers, as `gatepost dead ls` shows them.")] = None,
    data: Data = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Have their events handled again: each is published once more by its owner, from the audit record.

    Running it twice is the same as once, and every consumer bears an event that it has seen before.

    Examples: gatepost dead redrive 12 13; gatepost dead redrive --all
    """
    if not seq and not every:
        raise typer.BadParameter("name the numbers, or say --all")

    async def work(letters: DeadLetters, _: JetStreamContext) -> int:
        chosen = [letter async for letter in letters.all()] if every else [await _one(letters, n) for n in seq or ()]
        left = 0
        async with owner_store(database_url(data)) as store:
            for letter in chosen:
                not_before = datetime.fromisoformat(letter.at) + timedelta(seconds=BROKER_FORGETS_S)
                ids = [letter.event_id] if letter.event_id else []
                done = await store.republish(ids, not_before=not_before) or await store.fetchval(
                    "in_outbox", letter.event_id
                )
                if done:
                    await letters.drop(letter.seq)
                    typer.echo(f"{letter.seq}: {letter.event_id} goes out again, not before {not_before:%H:%M:%S} UTC")
                else:
                    left += 1
                    typer.echo(
                        f"{letter.seq}: no record makes this event; see `gatepost dead edit {letter.seq}`", err=True
                    )
        return left

    raise typer.Exit(1 if _run(data, work) else 0)


@dead.command("edit")
def edit(
    seq: Annotated[int, typer.Argument(help="Its number.")],
    data: Data = None,
    body: Annotated[Path | None, typer.Option(help="Take the new body from this file instead of an editor.")] = None,
) -> None:
    """Mend the body of one that cannot be read, and publish it. It must be a valid event of its subject's type.

    Example: gatepost dead edit 12 --body mended.json
    """

    async def work(letters: DeadLetters, js: JetStreamContext) -> None:
        letter = await _one(letters, seq)
        text = body.read_text("utf-8") if body else edited_text(_pretty(letter))
        if text is None:
            raise typer.Exit(1)
        event_type = letter.subject.rpartition(".")[0]
        model = EVENTS_BY_TYPE.get(event_type)
        if model is None:
            typer.secho(f"{letter.subject}: there is no such event type", err=True)
            raise typer.Exit(1)
        try:
            event = model.decode(text.encode())
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False)
            typer.secho("\n".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems), err=True)
            raise typer.Exit(1) from None
        await js.publish(event.subject, event.encode(), headers={"Nats-Msg-Id": f"edited-{seq}-{event.event_id}"})
        await letters.drop(seq)
        typer.echo(f"{event.subject}: published")

    _run(data, work)


@dead.command("drop")
def drop(seq: Seq, data: Data = None) -> None:
    """Forget them. What their handlers should have done stays undone.

    Example: gatepost dead drop 12 13
    """

    async def work(letters: DeadLetters, _: JetStreamContext) -> None:
        for number in seq:
            await _one(letters, number)
            await letters.drop(number)
            typer.echo(f"{number}: dropped")

    _run(data, work)


async def _one(letters: DeadLetters, seq: int) -> DeadLetter:
    letter = await letters.get(seq)
    if letter is None:
        typer.secho(f"{seq}: there is no such dead letter", err=True)
        raise typer.Exit(2)
    return letter


def _pretty(letter: DeadLetter) -> str:
    event: dict[str, Any] | None = letter.event
    return (
        json.dumps(event, indent=2, ensure_ascii=False) if event is not None else letter.body.decode("utf-8", "replace")
    )
