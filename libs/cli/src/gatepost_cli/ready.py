"""The ready file: how programs beside a running `gatepost up` learn where everything is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import typer

from gatepost_cli.settings import CliSettings

NAME = "ready.json"


def write_ready(path: Path, content: dict[str, Any]) -> None:
    """Replace the file in one step, readable by the owner alone: it holds keys and the owner's URLs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    draft.replace(path)


def running(data: Path | None = None) -> dict[str, Any]:
    """What the local installation says of itself; ends the command with a hint where none runs."""
    found = maybe_running(data)
    if found is None:
        typer.secho("No running Gatepost found here. Start one with `make up` (or `gatepost up`), ", err=True, nl=False)
        typer.secho("or name its data folder with --data or GATEPOST_DATA.", err=True)
        raise typer.Exit(2)
    return found


def maybe_running(data: Path | None = None) -> dict[str, Any] | None:
    """The ready file's content while the supervisor that wrote it lives; else None."""
    path = (data or CliSettings().data) / NAME
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        os.kill(int(content["pids"]["supervisor"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content
