"""`gatepost keys` and `gatepost mailbox`: what an operator at the machine makes, with the database owner's rights."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.bootstrap import add_article, add_key, add_mailbox
from gatepost_cli.connect import database_url
from gatepost_cli.owner import owner_store
from gatepost_contracts.ids import new_id
from gatepost_contracts.mailbox import PENDING_MAIL

keys = typer.Typer(help="API keys: list, make, revoke.", no_args_is_help=True)
mailbox = typer.Typer(help="Mailboxes: list, make, give knowledge.", no_args_is_help=True)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
SCOPES = ("read", "send", "oversight_read", "oversight", "admin")
MODES = ("read_only", "gated_all", "gated_send", "monitored", "autonomous")


def new_key(*, test: bool = False) -> str:
    """A fresh API key: 256 random bits behind a prefix that secret scanners can find."""
    return ("gp_test_" if test else "gp_live_") + secrets.token_urlsafe(32)


@keys.command("list")
def list_keys(data: Data = None, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the keys; the keys themselves are stored as hashes and cannot be shown.

    Example: gatepost keys list --json
    """

    async def work() -> None:
        async with owner_store(database_url(data)) as store:
            rows = [dict(row) for row in await store.fetch("keys")]
        if as_json:
            typer.echo(json.dumps(rows, default=str, indent=2))
            return
        table = Table("id", "name", "prefix", "scopes", "principal", "revoked")
        for row in rows:
            revoked = "yes" if row["revoked_at"] else ""
            table.add_row(row["id"], row["name"], row["prefix"], " ".join(row["scopes"]), row["principal"], revoked)
        Console().print(table)

    asyncio.run(work())


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str], typer.Option(help="One of " + ", ".join(SCOPES) + "; repeatable.")],
    kind: Annotated[str, typer.Option(help="agent, person or service.")] = "agent",
    test: Annotated[bool, typer.Option("--test", help="What it sends reaches the catcher alone.")] = False,
    data: Data = None,
) -> None:
    """Make a key of a new principal and print it once.

    Examples: gatepost keys create support-bot --scope read --scope send;
    gatepost keys create trial --scope read --scope send --test
    """
    unknown = sorted(set(scope) - set(SCOPES))
    if unknown or kind not in {"agent", "person", "service"}:
        raise typer.BadParameter(f"unknown scope or kind: {' '.join(unknown) or kind}")
    if {"send", "oversight"} <= set(scope):
        raise typer.BadParameter("no key may both send and decide: make two keys")
    if "oversight" in scope and kind != "person":
        raise typer.BadParameter("only a person decides: use --kind person")

    async def work() -> str:
        async with owner_store(database_url(data)) as store:
            tenant, principal, key = await store.fetchval("tenant"), new_id("prn"), new_key(test=test)
            await store.execute("add_principal", principal, tenant, kind, name)
            await add_key(store, tenant, principal, name, key, scope)
            return key

    typer.echo(asyncio.run(work()))


@keys.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="key_...")], data: Data = None) -> None:
    """Revoke a key at once.

    Example: gatepost keys revoke key_01JD0000000000000000000000
    """

    async def work() -> bool:
        async with owner_store(database_url(data)) as store:
            return await store.fetchval("revoke_key", key_id) is not None

    if not asyncio.run(work()):
        typer.echo("no such key, or revoked already", err=True)
        raise typer.Exit(1)
    typer.echo("revoked")


@mailbox.command("list")
def list_mailboxes(data: Data = None, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the mailboxes with their modes.

    Example: gatepost mailbox list --json
    """

    async def work() -> None:
        async with owner_store(database_url(data)) as store:
            rows = [dict(row) for row in await store.fetch("mailboxes")]
        if as_json:
            typer.echo(json.dumps(rows, default=str, indent=2))
            return
        table = Table("id", "address", "mode", "our drafter")
        for row in rows:
            table.add_row(row["id"], row["address"], row["mode"], "on" if row["drafting"] else "off")
        Console().print(table)

    asyncio.run(work())


@mailbox.command("create")
def create_mailbox(
    address: Annotated[str, typer.Argument(help="Its address.")],
    mode: Annotated[str, typer.Option(help="One of " + ", ".join(MODES))] = "gated_send",
    drafting: Annotated[bool, typer.Option(help="Let our drafter answer its mail.")] = True,
    data: Data = None,
) -> None:
    """Make a mailbox, with the sample knowledge.

    Example: gatepost mailbox create help@example.test --mode monitored
    """
    if mode not in MODES or "@" not in address:
        raise typer.BadParameter("give a full address and a known mode")

    async def work() -> str:
        async with owner_store(database_url(data)) as store:
            made = await add_mailbox(store, await store.fetchval("tenant"), address, mode, drafting=drafting)
            return f"{made.id} {made.address} {made.mode}"

    typer.echo(asyncio.run(work()))


@mailbox.command("notices")
def notices(
    sender: Annotated[str | None, typer.Option("--from", help="The address that codes and notices come from.")] = None,
    to: Annotated[str | None, typer.Option(help="The oversight address that they go to.")] = None,
    pending: Annotated[
        str | None, typer.Option(help="How soon it hears of what waits: " + ", ".join(PENDING_MAIL) + ".")
    ] = None,
    data: Data = None,
) -> None:
    """Show or set from where, to whom, and how soon the installation itself writes.

    Example: gatepost mailbox notices --from gatepost@example.com --to boss@example.com --pending at_once
    """
    if pending is not None and pending not in PENDING_MAIL:
        raise typer.BadParameter(f"one of {', '.join(PENDING_MAIL)}", param_hint="--pending")
    for address in (sender, to):
        if address is not None and address.count("@") != 1:
            raise typer.BadParameter(f"{address}: give a full address")

    async def work() -> tuple[str, str, str]:
        async with owner_store(database_url(data)) as store:
            if sender is not None and await store.fetchrow("mailbox", sender) is not None:
                raise typer.BadParameter(f"{sender} is a mailbox already", param_hint="--from")
            await store.execute("set_notices", sender, to, pending)
            row = await store.fetchrow("notices")
            return (row["address"], row["oversight_email"] or "nobody", row["pending_mail"]) if row else ("nobody",) * 3

    typer.echo("from {}, to {}, of what waits: {}".format(*asyncio.run(work())))


@mailbox.command("knowledge")
def knowledge(
    address: Annotated[str, typer.Argument(help="Its address.")],
    files: Annotated[list[Path], typer.Argument(help="Markdown files.", exists=True, dir_okay=False)],
    data: Data = None,
) -> None:
    """Give a mailbox articles to answer from; a file of the same name replaces the old one.

    Example: gatepost mailbox knowledge support@example.test docs/*.md
    """

    async def work() -> None:
        async with owner_store(database_url(data)) as store:
            found = await store.fetchrow("mailbox", address)
            if found is None:
                typer.echo(f"no mailbox {address}", err=True)
                raise typer.Exit(1)
            tenant = await store.fetchval("tenant")
            for file in files:
                count = await add_article(store, tenant, found["id"], file.name, file.read_text("utf-8"))
                typer.echo(f"{file.name}: {f'{count} pieces' if count else 'unchanged'}")

    asyncio.run(work())
