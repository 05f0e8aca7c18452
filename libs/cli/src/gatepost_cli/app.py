"""The `gatepost` command: what there is, by name and sentence; a command's own module is read when it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

# name -> (module, what it defines, the first sentence of its help). A test holds each sentence against the command's own.
PLACES: dict[str, tuple[str, str, str]] = {
    "up": ("up", "up", "Run everything here: six services, NATS, Postgres, a demo mailbox and a mail catcher. Ctrl-C stops all of it."),
    "demo": ("demo", "demo", "Send a real mail through a running Gatepost, approve the draft, and show what left."),
    "review": ("review", "review", "Look at what the gate holds, and decide."),
    # -- daily work
    "send": ("mails", "send", "Write a mail as the agent; the gate holds it or lets it go."),
    "inbox": ("mails", "inbox", "List mails, newest first."),
    "pending": ("mails", "pending", "List what waits for a person."),
    "decide": ("mails", "decide", "Approve or reject one mail as the reviewer, as it stands now."),
    "listen": ("listening", "listen", "Follow events as they happen, and hand each to a program on this machine."),
    "why": ("why", "why", "Tell what happened to one mail, step by step, by whom and on which grounds."),
    "mcp": ("mcp", "mcp", "Serve MCP on standard input and output."),
    # -- the house
    "status": ("status", "status", "Tell what is left to do, by stage."),
    "probe": ("probe", "probe", "Send a mail in, answer it as the agent, withdraw the answer, and tell which step failed. Nothing leaves."),
    "doctor": ("doctor", "doctor", "Look for the usual misconfigurations and say how to mend each. Status 1 when something is wrong."),
    "pause": ("stopping", "pause", "Stop every new attempt, within seconds. Anyone may; what is on the wire ends."),
    "resume": ("stopping", "resume", "Let attempts go on again. An operator's act."),
    "pauses": ("stopping", "pauses", "What is stopped, since when, by whom and why."),
    "mode": ("autonomy", "mode", "Show or set how far a mailbox may go by itself, as an operator."),
    "evidence": ("autonomy", "evidence",
        "What people's reviews prove of each category, at 95 %, and how many more clean reviews are needed."),
    "dry-run": ("autonomy", "dry_run", "What another policy would have done with the past days. Nothing is changed."),
    "migrate": ("broker", "migrate", "Bring the database to the schema of this release; safe to run again."),
    "reconcile": ("reconcile", "reconcile",
        "Compare the tables with the streams and publish what is missing; safe at any time, and again."),
    "replay": ("replay", "replay", "Run past events through a service's handler, touching nothing, and show what differs from then."),
    "new-consumer": ("new_consumer", "new_consumer",
        "Make a package that handles an event: settings, handler, tests against a real broker, Dockerfile, manifest."),
    # -- groups
    "upgrade": ("autonomy", "upgrade", "Ask for a looser mode, and redeem the code that the oversight address got."),
    "category": ("autonomy", "category", "Categories of mail: which mail is of one, and how far its answers may go."),
    "allow": ("autonomy", "allow", "Recipients to whom mail goes its own way."),
    "audit": ("audit", "audit", "The log: export it, verify it, witness it."),
    "import": ("history", "imports", "Bring mail of the past in: from mbox, maildir or .eml files."),
    "keys": ("credentials", "keys", "API keys: list, make, revoke."),
    "mailbox": ("credentials", "mailbox", "Mailboxes: list, make, give knowledge."),
    "streams": ("broker", "streams", "Streams and durables: one declaration, one writer."),
    "events": ("broker", "events", "Events as they are published."),
    "dead": ("dead", "dead", "Dead letters: events that could not be handled."),
    "webhooks": ("webhooks", "webhooks", "Webhooks: list, try, look at deliveries, send again."),
    "domains": ("domains", "domains", "Domains: records to publish, verification, DKIM keys."),
    "suppression": ("suppression", "suppression", "Whom nobody here writes to: list, add, remove, import, export."),
    "thread": ("threads", "thread", "Read a conversation; merge and split threads, and take a move back."),
    "person": ("people", "person", "A person's data: show it, erase it, check a certificate."),
    "hold": ("people", "hold", "Legal holds: data that nothing erases."),
}  # fmt: skip


class OnDemand(TyperGroup):
    """A group whose commands are read when they run; a list of them needs their sentences alone."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=sentence) for name, (_, _, sentence) in PLACES.items()}
        self._is_listing = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself, or where only a list is made its name and sentence."""
        if self._is_listing or cmd_name not in PLACES:
            return super().get_command(ctx, cmd_name)
        return loaded(cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a refusal of the service is told in its own words and ends it with status 1."""
        try:
            return super().invoke(ctx)
        except Exception as reason:
            from gatepost_client.errors import MultiMailError

            if not isinstance(reason, MultiMailError):
                raise
            typer.secho(str(reason), err=True, fg="red")
            raise typer.Exit(1) from None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Help of the whole."""
        self._is_listing = True
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Names that begin so."""
        self._is_listing = True
        return super().shell_complete(ctx, incomplete)


def loaded(name: str) -> Any:
    """A command or group of commands, from its module."""
    module, attribute, _ = PLACES[name]
    found = getattr(importlib.import_module(f"gatepost_cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(found)
    return get_command(alone)


app = typer.Typer(
    cls=OnDemand, no_args_is_help=True, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


@app.callback()
def gatepost() -> None:
    """Email infrastructure for AI agents, with a human at the gate."""


def main() -> None:
    """Run the command line."""
    app()
