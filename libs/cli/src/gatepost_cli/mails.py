"""Daily work on mail from a terminal: send, look, read, decide, and follow what happens."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import api, is_local, where

console = Console(highlight=False)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
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
    _show(sent, as_json=as_json, line=f"{sent['id']}  {sent['status']}  ({sent['oversight_mode']})")


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
    _show(done, as_json=as_json, line=f"{done['id']}  {done['status']}")


def listen(
    url: Annotated[str | None, typer.Argument(help="Where to POST each event; else they are printed.")] = None,
    types: Annotated[str | None, typer.Option(help="Event types, with commas; else all.")] = None,
    secret: Annotated[str, typer.Option(help="Sign with this, as a webhook is signed.")] = "whsec_local",  # noqa: S107 (of this machine alone)
    mailbox: Mailbox = None,
    most: Annotated[int, typer.Option(help="Stop after this many; 0: never.")] = 0,
    data: Data = None,
) -> None:
    """Follow events as they happen, and hand each to a program on this machine.

    Example: gatepost listen http://127.0.0.1:5000/hook --types email.received,email.held
    """
    base, key = where("agent", data)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for done, event in enumerate(_events(base, key, {"types": types, "mailbox": mailbox, "since": now}), 1):
        if url is None:
            typer.echo(json.dumps(event))
            sys.stdout.flush()
        else:
            typer.echo(f"{event['type']}  {event.get('message_id', '')}  {_post(url, event, secret)}")
        if done == most:
            return


def _events(base: str, key: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Server-sent events, for ever; a lost connection is taken up where it broke."""
    last = ""
    while True:
        headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "text/event-stream",
            **({"Last-Event-ID": last} if last else {}),
        }
        params = {name: value for name, value in asked.items() if value}
        try:
            with httpx2.stream(
                "GET", f"{base.rstrip('/')}/v1/events", headers=headers, params=params, timeout=60, trust_env=not is_local(base)
            ) as reply:  # fmt: skip
                if reply.status_code != 200:
                    reply.read()
                    typer.secho(f"The service answered {reply.status_code}: {reply.text[:300]}", err=True)
                    raise typer.Exit(1)
                for line in reply.iter_lines():
                    if line.startswith("id: "):
                        last = line.removeprefix("id: ")
                    elif line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except httpx2.HTTPError as reason:
            typer.secho(f"The connection broke ({type(reason).__name__}); trying again.", err=True)
            time.sleep(1)


def _post(url: str, event: dict[str, Any], secret: str) -> str:
    raw = json.dumps(event).encode()
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-MultiMail-Signature": f"sha256={signature}",
        "X-Gatepost-Event": event["type"],
    }
    try:
        return str(httpx2.post(url, content=raw, headers=headers, timeout=15).status_code)
    except httpx2.HTTPError as reason:
        return type(reason).__name__


def _show(body: dict[str, Any], *, as_json: bool, line: str) -> None:
    typer.echo(json.dumps(body, indent=2) if as_json else line)
