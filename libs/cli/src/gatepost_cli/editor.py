"""Let a person change a text in the editor of their choice."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import typer

from gatepost_cli.settings import editor_command


def edited_text(text: str) -> str | None:
    """The text as it was saved; None when no editor could be run."""
    command = editor_command() or next(
        (name for name in ("sensible-editor", "nano", "vim", "vi") if shutil.which(name)), None
    )
    if command is None:
        typer.echo("No editor found: set EDITOR.", err=True)
        return None
    with tempfile.TemporaryDirectory(prefix="gatepost-") as folder:
        file = Path(folder) / "draft.md"
        file.write_text(text, encoding="utf-8")
        if subprocess.run([*shlex.split(command), str(file)], check=False).returncode != 0:
            return None
        return file.read_text(encoding="utf-8")
