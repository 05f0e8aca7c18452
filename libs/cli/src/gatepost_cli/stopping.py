"""`gatepost pause`, `resume`, `pauses`: the switch that anyone pulls and only an operator releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import ask
from gatepost_cli.saying import AsJson, say

Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]


def pause(
    mailbox: Annotated[str | None, typer.Option(help="Stop one mailbox: its id or address.")] = None,
    agent: Annotated[str | None, typer.Option(help="Stop one agent: its principal's id or name.")] = None,
    category: Annotated[str | None, typer.Option(help="Stop one category of mail.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Stop the whole account.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for whoever resumes it.")] = "",
    key: Annotated[str, typer.Option(help="Which key of the local installation to use.")] = "agent",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Stop every new attempt, within seconds. Anyone may; what is on the wire ends.

    Examples: gatepost pause --all --reason "strange answers"; gatepost pause --mailbox support@demo.test
    """
    named = {"mailbox": mailbox, "agent": agent, "category": category}
    asked: list[tuple[str, str | None]] = [(scope, target) for scope, target in named.items() if target]
    asked += [("tenant", None)] if everything else []
    if len(asked) != 1:
        raise typer.BadParameter("name one of --mailbox, --agent, --category, --all")
    scope, target = asked[0]
    made = ask(key, data, "POST", "/v1/pauses", {"scope": scope, "target": target, "reason": reason})
    say(made, f"{made['id']}: {made['scope']} {made['target']} is stopped; an operator resumes it.", as_json=as_json)


def resume(
    pause_id: Annotated[str, typer.Argument(help="pse_..., see gatepost pauses")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Let attempts go on again. An operator's act.

    Example: gatepost resume pse_01JD0000000000000000000000
    """
    say(ask("operator", data, "DELETE", f"/v1/pauses/{pause_id}"), "resumed", as_json=as_json)


def pauses(data: Data = None, as_json: AsJson = False) -> None:
    """What is stopped, since when, by whom and why.

    Example: gatepost pauses --json
    """
    found = ask("operator", data, "GET", "/v1/pauses")["pauses"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    if not found:
        typer.echo("Nothing is stopped.")
        return
    table = Table("id", "scope", "target", "since", "by", "reason")
    for row in found:
        table.add_row(row["id"], row["scope"], row["target"], row["since"], row["by"], row["reason"])
    Console().print(table)
