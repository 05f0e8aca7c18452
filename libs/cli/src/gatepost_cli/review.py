"""`gatepost review`: the queue in a terminal. Original, thread and draft side by side; approve, edit, reject."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gatepost_cli.connect import api
from gatepost_cli.editor import edited_text
from gatepost_client import MultimailClient, MultiMailError

console = Console(highlight=False)
CHOICES = "[a]pprove  [e]dit and approve  [r]eject  [t]hread  [s]kip  [q]uit"


def review(
    message_id: Annotated[str | None, typer.Argument(help="Only this mail; else the whole queue.")] = None,
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
    mailbox: Annotated[str | None, typer.Option(help="Id or address; else all mailboxes.")] = None,
    list_only: Annotated[bool, typer.Option("--list", help="List what waits and leave.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Approve the named mail without asking.")] = False,
    reject: Annotated[str | None, typer.Option("--reject", help="Send the named mail back with this note.")] = None,
) -> None:
    """Look at what the gate holds, and decide.

    Examples: gatepost review; gatepost review --list; gatepost review msg_01... --approve
    """
    reviewer = api("reviewer", data)
    queue = _queue(reviewer, mailbox)
    if message_id is not None:
        queue = [item for item in queue if item["message_id"] == message_id]
        if not queue:
            console.print(f"{message_id} does not wait for a decision.")
            raise typer.Exit(1)
    if list_only or not queue:
        _list(queue)
        return
    if approve or reject is not None:
        if message_id is None:
            console.print("Name the mail that --approve or --reject is about.")
            raise typer.Exit(2)
        _decide(reviewer, queue[0], "approve" if approve else "reject", note=reject)
        return
    for place, item in enumerate(queue, 1):
        if not _one(reviewer, item, f"{place} of {len(queue)}"):
            break


def _queue(reviewer: MultimailClient, mailbox: str | None) -> list[dict[str, Any]]:
    """The whole queue, oldest first."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = reviewer.list_pending(mailbox, limit=100, cursor=cursor)
        items += page["messages"]
        cursor = page.get("cursor")
        if not cursor:
            return items[::-1]


def _list(queue: list[dict[str, Any]]) -> None:
    if not queue:
        console.print("Nothing waits for a decision.")
        return
    table = Table("id", "to", "subject", "held for", "since")
    for item in queue:
        rules = ", ".join(str(r["rule"]) for r in item.get("reasons") or ())
        table.add_row(item["message_id"], ", ".join(item["to"]), item["subject"], rules, item["created_at"])
    console.print(table)


def _one(reviewer: MultimailClient, item: dict[str, Any], place: str) -> bool:
    """Show one and ask; False ends the session. Others are told meanwhile that somebody is at it."""
    _show(item, place)
    taken = _claim(reviewer, item)
    try:
        return _asked(reviewer, item)
    finally:
        if taken:
            with suppress(MultiMailError):
                reviewer.call("POST", "/v1/oversight/release", {"message_id": item["message_id"]})


def _claim(reviewer: MultimailClient, item: dict[str, Any]) -> bool:
    try:
        reviewer.call("POST", "/v1/oversight/claim", {"message_id": item["message_id"]})
    except MultiMailError as refusal:
        console.print(f"[yellow]{refusal}[/]")
        return False
    return True


def _asked(reviewer: MultimailClient, item: dict[str, Any]) -> bool:
    while True:
        match typer.prompt(CHOICES, default="s", show_default=False).strip().lower()[:1]:
            case "a":
                _decide(reviewer, item, "approve")
                return True
            case "e":
                edited = edited_text(item["draft_body"])
                if edited is None or edited.strip() == item["draft_body"].strip():
                    console.print("Nothing was changed.")
                    continue
                _decide(reviewer, item, "approve", body=edited)
                return True
            case "r":
                note = typer.prompt(
                    "Why, for whoever writes the next draft (empty ends it)", default="", show_default=False
                )
                _decide(reviewer, item, "reject", note=note or None)
                return True
            case "t":
                _show_thread(item)
            case "q":
                return False
            case _:
                return True


def _decide(
    reviewer: MultimailClient, item: dict[str, Any], action: str, *, note: str | None = None, body: str | None = None
) -> None:
    try:
        reply = reviewer.decide_email(
            item["message_id"], action, revised_body=body, rejection_note=note, revision=item["content_sha256"]
        )
    except MultiMailError as refusal:
        console.print(f"[red]Not decided:[/] {refusal}")
        return
    console.print(f"{item['message_id']}: [bold]{reply['status']}[/]")


def _show(item: dict[str, Any], place: str) -> None:
    original = item.get("original") or {}
    reasons = Text("\n".join(f"{r['rule']}: {r['why']}" for r in item.get("reasons") or ()))
    left = Panel(
        Text(original.get("body_text") or "(no mail is answered)"), title=f"original, {original.get('from', '-')}"
    )
    right = Panel(Text(item["draft_body"]), title=f"draft {item['revision']} to {', '.join(item['to'])}")
    half = max(30, console.width // 2 - 2)
    console.rule(f"{place}: {item['subject']}")
    console.print(Group(Columns([left, right], width=half), Panel(reasons, title="held because")))
    count = len((item.get("thread") or {}).get("messages") or ())
    console.print(f"{count} mails on this thread.")


def _show_thread(item: dict[str, Any]) -> None:
    for mail in (item.get("thread") or {}).get("messages") or ():
        console.print(
            Panel(Text(mail["body_text"]), title=f"{mail['direction']}, {mail['from']}, {mail['received_at']}")
        )
