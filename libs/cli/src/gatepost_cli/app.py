"""The `gatepost` command: one table of words, each module loaded when its word is said."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from gatepost_client.errors import MultiMailError

COMMANDS = {
    "up": "up:up", "demo": "demo:demo", "review": "review:review",
    "send": "mails:send", "inbox": "mails:inbox", "pending": "mails:pending", "decide": "mails:decide",
    "listen": "mails:listen", "why": "why:why", "mcp": "mcp:mcp",
    "status": "status:status", "probe": "probe:probe", "doctor": "doctor:doctor",
    "pause": "stopping:pause", "resume": "stopping:resume", "pauses": "stopping:pauses",
    "mode": "autonomy:mode", "evidence": "autonomy:evidence", "dry-run": "autonomy:dry_run",
    "migrate": "broker:migrate", "reconcile": "reconcile:reconcile", "replay": "replay:replay",
    "new-consumer": "new_consumer:new_consumer",
    "upgrade": "autonomy:upgrade", "category": "autonomy:category", "allow": "autonomy:allow", "audit": "audit:audit",
    "import": "history:imports", "keys": "credentials:keys", "mailbox": "credentials:mailbox",
    "streams": "broker:streams", "events": "broker:events", "dead": "dead:dead",
    "domains": "domains:domains", "suppression": "suppression:suppression", "thread": "threads:thread",
}  # fmt: skip
"""Word: where its function, or the group of its commands, stands."""


class Words(TyperGroup):
    """The commands of the table. Loading all of them takes a second, which one command need not wait for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command behind a word; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(f"gatepost_cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            group = typer.main.get_group(found)
            group.name = cmd_name
            return group
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(found)
        return typer.main.get_command(alone)


app = typer.Typer(
    cls=Words,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def gatepost() -> None:
    """Email infrastructure for AI agents, with a human at the gate."""


def main() -> None:
    """Run the command line; a refusal of the service is told in its own words."""
    try:
        app()
    except MultiMailError as refusal:
        typer.secho(str(refusal), err=True, fg="red")
        sys.exit(1)
