"""The `gatepost` command."""

from __future__ import annotations

import sys

import typer

from gatepost_cli.audit import audit
from gatepost_cli.autonomy import allow, category, dry_run, evidence, mode, upgrade
from gatepost_cli.broker import events, migrate, streams
from gatepost_cli.credentials import keys, mailbox
from gatepost_cli.dead import dead
from gatepost_cli.demo import demo
from gatepost_cli.doctor import doctor
from gatepost_cli.domains import domains
from gatepost_cli.history import imports
from gatepost_cli.mails import decide, inbox, listen, pending, send, show_thread
from gatepost_cli.mcp import mcp
from gatepost_cli.new_consumer import add_consumer, new_consumer
from gatepost_cli.probe import probe
from gatepost_cli.reconcile import reconcile
from gatepost_cli.replay import replay
from gatepost_cli.review import review
from gatepost_cli.status import status
from gatepost_cli.stopping import pause, pauses, resume
from gatepost_cli.suppression import suppression
from gatepost_cli.threads import thread
from gatepost_cli.up import up
from gatepost_cli.why import why
from gatepost_client import MultiMailError

app = typer.Typer(
    help="Email infrastructure for AI agents, with a human at the gate.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
DAILY = (send, inbox, pending, decide, listen, why, mcp)
HOUSE = (
    status,
    probe,
    doctor,
    pause,
    resume,
    pauses,
    mode,
    evidence,
    dry_run,
    migrate,
    reconcile,
    replay,
    new_consumer,
)
for command in (up, demo, review, *DAILY, *HOUSE):
    app.command()(command)
streams.command("add-consumer")(add_consumer)
thread.command("show")(show_thread)
GROUPS = {
    "upgrade": upgrade, "category": category, "allow": allow, "audit": audit, "import": imports, "keys": keys, "mailbox": mailbox,
    "streams": streams, "events": events, "dead": dead,
    "domains": domains, "suppression": suppression,
    "thread": thread,
}  # fmt: skip
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command line; a refusal of the service is told in its own words."""
    try:
        app()
    except MultiMailError as refusal:
        typer.secho(str(refusal), err=True, fg="red")
        sys.exit(1)
