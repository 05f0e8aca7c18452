"""`gatepost new-consumer` and `gatepost streams add-consumer`: a consumer of your own, from nothing to running."""

from __future__ import annotations

import asyncio
import re
import secrets
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from gatepost_cli.connect import nats_url
from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_runtime.consumer import check_name, declare, declare_reader
from gatepost_runtime.users import consumer_user, third_party_user

FILES = {
    "pyproject.toml": "pyproject.toml.txt", "README.md": "README.md.txt", "Dockerfile": "Dockerfile.txt",
    "k8s.yaml": "k8s.yaml.txt", "src/{name}/__init__.py": "init.py.txt", "src/{name}/settings.py": "settings.py.txt",
    "src/{name}/handlers.py": "handlers.py.txt", "src/{name}/app.py": "app.py.txt",
    "tests/test_{name}.py": "test_consumer.py.txt",
}  # fmt: skip
Event = Annotated[str, typer.Option(help="The event type that it handles.")]


def new_consumer(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and underscores, e.g. crm_sync.")],
    event: Event = "email.received",
    folder: Annotated[Path, typer.Option("--in", help="Where to make its folder.")] = Path(),
) -> None:
    """Make a package that handles an event: settings, handler, tests against a real broker, Dockerfile, manifest.

    Its tests pass at once. Example: gatepost new-consumer crm_sync && cd crm_sync && python -m pytest
    """
    _check(name, [event])
    target = folder / name
    if target.exists():
        raise typer.BadParameter(f"{target} is there already", param_hint="NAME")
    model = EVENTS_BY_TYPE[event]
    words = {
        "__TYPE_UNDERSCORED__": event.replace(".", "_"), "__NAME__": name, "__UPPER__": name.upper(), "__TYPE__": event,
        "__DASHED__": name.replace("_", "-"), "__EVENT__": model.__name__, "__MODULE__": model.__module__.rpartition(".")[2],
    }  # fmt: skip
    templates = resources.files("gatepost_cli") / "templates"
    for path, template in FILES.items():
        text = (templates / template).read_text("utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        file = target / path.format(name=name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    typer.echo(f"made {target}; next: cd {target} && python -m pytest")


def add_consumer(
    name: Annotated[str, typer.Argument(help="The consumer's name.")],
    event: Annotated[list[str], typer.Option(help="An event type that it reads; repeatable.")],
    mailbox: Annotated[str | None, typer.Option(help="Let it see this mailbox alone (mbx_...).")] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest event kept.")] = False,
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
) -> None:
    """Make a consumer's durables, and print the NATS user that may read them and nothing else.

    Put that line among the users of your NATS server and reload it. Beside `gatepost up` the operator's URL of
    data/ready.json works, too.

    Example: gatepost streams add-consumer crm_sync --event email.received --event email.delivered
    """
    _check(name, event)
    for durable in asyncio.run(declare(nats_url(data), name, event, mailbox=mailbox, from_start=from_start)):
        typer.echo(f"durable {durable}: as declared")
    typer.echo(consumer_user(name, secrets.token_urlsafe(24), event))


def add_reader(
    name: Annotated[str, typer.Argument(help="The reader's name.")],
    mailbox: Annotated[str, typer.Option(help="The one mailbox it sees (mbx_...).")],
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest event kept.")] = False,
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
) -> None:
    """Let a plain NATS client read the mail events of one mailbox: makes its durable, and prints its NATS user.

    That user reads this durable and acknowledges what it read; it can do nothing else. See docs/howto/being-told.md.

    Example: gatepost streams add-reader shop_feed --mailbox mbx_01J...
    """
    _check(name, [])
    if not re.fullmatch(r"mbx_(system|[0-9A-Z]{26})", mailbox):
        raise typer.BadParameter(f"{mailbox}: give a mailbox's id, as `gatepost mailbox list` shows it")
    asyncio.run(declare_reader(nats_url(data), name, mailbox, from_start=from_start))
    typer.echo(f"durable {name}: as declared", err=True)
    typer.echo(third_party_user(name, secrets.token_urlsafe(24), name))


def _check(name: str, events: list[str]) -> None:
    try:
        check_name(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from None
    if unknown := [event for event in events if event not in EVENTS_BY_TYPE]:
        raise typer.BadParameter(f"{unknown[0]}: one of {', '.join(EVENTS_BY_TYPE)}", param_hint="--event")
