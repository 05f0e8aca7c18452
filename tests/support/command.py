"""The `gatepost` command inside this process: the same words, output and exit code without the start of an interpreter."""

from __future__ import annotations

import os

from typer.testing import CliRunner

from gatepost_cli.app import app


def gatepost_command(*words: str, stdin: str | None = None, **variables: str) -> Done:
    """Run it to its end, with no setting of this process but the ones given."""
    ours = {name: None for name in os.environ if name.startswith(("GATEPOST_", "MULTIMAIL_"))}
    result = CliRunner().invoke(app, list(words), input=stdin, env=ours | {"COLUMNS": "200"} | variables)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


class Done:
    """How a command ended and what it said."""

    def __init__(self, exit_code: int, stdout: str, stderr: str) -> None:
        self.exit_code, self.stdout, self.stderr = exit_code, stdout, stderr

    @property
    def output(self) -> str:
        """Both streams."""
        return self.stdout + self.stderr
