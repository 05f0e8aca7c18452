"""`gatepost status`: what is left to do, by stage. Zero everywhere means quiet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import api


def status(
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what is left to do, by stage.

    Examples: gatepost status; gatepost status --json
    """
    with api("operator", data) as client:
        left = client.status()
    if as_json:
        typer.echo(json.dumps(left, indent=2))
        return
    table = Table("stage", "left")
    for stage, count in left.items():
        if isinstance(count, int) and not isinstance(count, bool):
            table.add_row(stage, str(count))
    console = Console()
    console.print(table)
    if left.get("dead_letters"):
        console.print("[red]Some events could not be handled:[/] see `gatepost dead ls`.")
    console.print("quiet" if left.get("quiet") else "at work, or waiting for a person")
