"""`gatepost streams`, `gatepost events`, `gatepost migrate`: what an operator does to the broker and the database."""

from __future__ import annotations

import asyncio
import json
import secrets
import urllib.request
from pathlib import Path
from typing import Annotated

import nats
import typer
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from gatepost_cli.connect import database_url, nats_url
from gatepost_cli.new_consumer import add_consumer, add_reader
from gatepost_cli.ready import running
from gatepost_contracts.catalogue import SERVICES
from gatepost_runtime import streams as declared
from gatepost_runtime.asyncapi import merged
from gatepost_runtime.users import OPERATOR, nats_users
from gatepost_store import migrate as migrations

streams = typer.Typer(help="Streams and durables: one declaration, one writer.", no_args_is_help=True)
events = typer.Typer(help="Events as they are published.", no_args_is_help=True)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
streams.command("add-consumer")(add_consumer)
streams.command("add-reader")(add_reader)


@streams.command("apply")
def apply(data: Data = None) -> None:
    """Make the streams and durables what this release declares; safe to run again.

    Example: gatepost streams apply
    """
    for line in asyncio.run(declared.apply(nats_url(data))):
        typer.echo(line)


@streams.command("render")
def render(
    passwords: Annotated[
        Path | None, typer.Option(help="JSON file of user to password or bcrypt hash; else new ones are made.")
    ] = None,
) -> None:
    """Print the users of the broker's configuration: each service's rights, from the table of events and durables.

    It holds passwords: keep it as you keep them. After an upgrade that names new rights, render it again and reload.

    Example: gatepost streams render --passwords nats-passwords.json > users.conf
    """
    users = (*SERVICES, OPERATOR)
    given = json.loads(passwords.read_text("utf-8")) if passwords else {u: secrets.token_urlsafe(24) for u in users}
    if missing := [user for user in users if not isinstance(given.get(user), str)]:
        raise typer.BadParameter(f"no password for {', '.join(missing)}", param_hint="--passwords")
    typer.echo(nats_users({user: given[user] for user in users}), nl=False)


@events.command("tail")
def tail(
    subject: Annotated[str, typer.Argument(help="An event type, or a subject with wildcards.")] = ">",
    data: Data = None,
    last: Annotated[int, typer.Option(help="Begin with this many past events.")] = 0,
    count: Annotated[int, typer.Option(help="Leave after this many; 0: never.")] = 0,
) -> None:
    """Print events as they happen, one JSON object a line.

    Examples: gatepost events tail; gatepost events tail email.held --last 10
    """
    wanted = subject if subject.endswith(">") or subject.count(".") > 1 else f"{subject}.*"
    try:
        asyncio.run(_tail(nats_url(data), wanted, last, count))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@events.command("spec")
def spec(data: Data = None) -> None:
    """Print the AsyncAPI 3 document of the running services: every event and command, who says and who hears it.

    Example: gatepost events spec > asyncapi.json
    """
    documents = []
    for service, url in sorted(running(data)["health"].items()):
        try:
            with urllib.request.urlopen(f"{url}/asyncapi.json", timeout=5) as reply:  # noqa: S310 (our own processes)
                documents.append(json.load(reply))
        except OSError as reason:
            typer.secho(f"{service} does not answer: {reason}", err=True)
            raise typer.Exit(1) from None
    typer.echo(json.dumps(merged(documents), indent=1, ensure_ascii=False))


async def _tail(url: str, subject: str, last: int, count: int) -> None:
    """An ephemeral consumer without acks, so that watching changes nothing."""
    client = await nats.connect(url)
    js = client.jetstream()
    config = _from(subject, await _start(js, subject, last))
    consumer = await js.pull_subscribe(subject, stream="EVENTS", config=config)
    seen = 0
    try:
        while not count or seen < count:
            try:
                batch = await consumer.fetch(100, timeout=5)
            except TimeoutError:
                continue
            for message in batch:
                seen += 1
                typer.echo(json.dumps({"subject": message.subject, **json.loads(message.data)}))
                if count and seen >= count:
                    return
    finally:
        await client.close()


def _from(subject: str, start: int) -> ConsumerConfig:
    return ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=start, ack_policy=AckPolicy.NONE,
        filter_subject=None if subject == ">" else subject, inactive_threshold=30,
    )  # fmt: skip


async def _start(js: JetStreamContext, subject: str, last: int) -> int:
    """The place from which that many events of this subject follow: looked for by halves, the server counts."""
    state = (await js.stream_info("EVENTS")).state
    low, high = state.first_seq, state.last_seq + 1  # from `high` on nothing follows
    while last and high - low > 1:
        middle = (low + high) // 2
        made = await js.add_consumer("EVENTS", _from(subject, middle))
        await js.delete_consumer("EVENTS", made.name)
        low, high = (middle, high) if (made.num_pending or 0) >= last else (low, middle)
    return max(1, low if last else high)


def migrate(data: Data = None) -> None:
    """Bring the database to the schema of this release; safe to run again.

    Example: gatepost migrate
    """
    done = asyncio.run(migrations.migrate(database_url(data), passwords=None))
    typer.echo("\n".join(done) if done else "nothing to do")
