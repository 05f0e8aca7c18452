"""What a command says at its end: a line for a person, or the service's answer as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def say(body: Mapping[str, Any], line: str, *, as_json: bool) -> None:
    """One of the two."""
    typer.echo(json.dumps(body, indent=2) if as_json else line)
