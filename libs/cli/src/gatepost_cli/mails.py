"""Daily work on mail from a terminal: send, look, decide."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import api
from gatepost_cli.saying import AsJson, say

console = Console(highlight=False)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
Mailbox = Annotated[str | None, typer.Option(help="Id or address; the only mailbox when left out.")]


def send(
    to: Annotated[list[str], typer.Argument(help="Addresses.")],
    subject: Annotated[str, typer.Option(help="Its subject.")],
    body: Annotated[str | None, typer.Option(help="Its text, as markdown; else standard input.")] = None,
    mailbox: Mailbox = None,
    send_at: Annotated[str | None, typer.Option(help="When to send, e.g. 2026-01-31T12:00:00Z.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write a mail as the agent; the gate holds it or lets it go.

    Example: echo "Hello" | gatepost send ada@example.com --subject "Hello"
    """
    text = body if body is not None else sys.stdin.read()
    with api("agent", data) as client:
        sent = client.send_email(list(to), subject, text, from_address=mailbox, send_at=send_at)
    say(sent, f"{sent['id']}  {sent['status']}  ({sent['oversight_mode']})", as_json=as_json)


def inbox(
    mailbox: Mailbox = None,
    status: Annotated[str | None, typer.Option(help="unread, read, pending, sent, scheduled, ...")] = None,
    search: Annotated[str | None, typer.Option("--search", help='Words, "a phrase", -not.')] = None,
    limit: Annotated[int, typer.Option(help="How many.")] = 20,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List mails, newest first.

    Examples: gatepost inbox --status unread; gatepost inbox --search '"late delivery"'
    """
    with api("agent", data) as client:
        page = client.check_inbox(mailbox, filter=status, q=search, limit=limit)
    if as_json:
        typer.echo(json.dumps(page, indent=2))
        return
    table = Table("id", "from", "subject", "status", "at")
    for mail in page["messages"]:
        table.add_row(mail["id"], mail["from"], mail["subject"], mail["status"], mail["received_at"])
    console.print(table if page["messages"] else "No mail.")


def pending(mailbox: Mailbox = None, data: Data = None, as_json: AsJson = False) -> None:
    """List what waits for a person.

    Example: gatepost pending --json
    """
    with api("reviewer", data) as client:
        page = client.list_pending(mailbox, limit=100)
    if as_json:
        typer.echo(json.dumps(page, indent=2))
        return
    table = Table("id", "to", "subject", "held for", "since")
    for item in page["messages"]:
        rules = ", ".join(str(reason["rule"]) for reason in item["reasons"])
        table.add_row(item["id"], ", ".join(item["to"]), item["subject"], rules, item["created_at"])
    console.print(table if page["messages"] else "Nothing waits.")


def decide(
    message_id: Annotated[str, typer.Argument(help="The draft, or the mail it answers.")],
    decision: Annotated[str, typer.Argument(help="approve or reject.")],
    note: Annotated[str | None, typer.Option(help="Why, for the author.")] = None,
    body: Annotated[str | None, typer.Option(help="Approve with this text instead.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Approve or reject one mail as the reviewer, as it stands now.

    Example: gatepost decide msg_01... reject --note "Give the tracking number"
    """
    with api("reviewer", data) as client:
        seen = client.read_email(message_id)
        revision = seen["content_sha256"] if seen["direction"] == "outbound" else None
        done = client.decide_email(message_id, decision, rejection_note=note, revised_body=body, revision=revision)
    say(done, f"{done['id']}  {done['status']}", as_json=as_json)
