"""`gatepost thread`: read threads and put them right, each step recorded and taken back with one word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from gatepost_cli.connect import api
from gatepost_cli.saying import AsJson, say
from gatepost_client import MultiMailError

thread = typer.Typer(help="Read a conversation; merge and split threads, and take a move back.", no_args_is_help=True)
console = Console(highlight=False)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]


@thread.command("show")
def show(
    thread_id: Annotated[str, typer.Argument(help="thr_..., or your own id.")],
    history: Annotated[bool, typer.Option("--history", help="With drafts, decisions and what they changed.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Read a conversation, oldest first.

    Example: gatepost thread show zd-12345 --history
    """
    with api("agent", data) as client:
        found = client.get_thread(thread_id, include="history" if history else None)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for mail in found["emails"]:
        console.rule(f"{mail['direction']}  {mail['from']}  {mail['received_at']}  {mail['status']}")
        console.print(mail["body_text"], markup=False)
    for entry in found["history"]:
        console.print(f"{entry['at']}  {entry['kind']}  {entry['message_id']}  by {entry['by']}", markup=False)


@thread.command("merge")
def merge(
    thread_id: Annotated[str, typer.Argument(help="The thread whose mails move.")],
    into: Annotated[str, typer.Argument(help="The thread they move to.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Put the mails of one thread into another of the same mailbox.

    Examples: gatepost thread merge thr_01JE... thr_01JD...
    """
    _move(f"/v1/threads/{quote(thread_id, safe='')}/merge", {"into": into}, data, as_json=as_json)


@thread.command("split")
def split(
    thread_id: Annotated[str, typer.Argument(help="The thread they are on.")],
    message_ids: Annotated[list[str], typer.Argument(help="The mails that move to a thread of their own.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Put some mails of a thread into a new one.

    Examples: gatepost thread split thr_01JD... msg_01JD... msg_01JE...
    """
    _move(f"/v1/threads/{quote(thread_id, safe='')}/split", {"message_ids": message_ids}, data, as_json=as_json)


@thread.command("undo")
def undo(
    move_id: Annotated[str, typer.Argument(help="The move, as tmv_01...")], data: Data = None, as_json: AsJson = False
) -> None:
    """Take a merge or a split back.

    Examples: gatepost thread undo tmv_01JE...
    """
    _move(f"/v1/thread-moves/{quote(move_id, safe='')}/undo", {}, data, as_json=as_json)


def _move(path: str, body: dict[str, Any], data: Path | None, *, as_json: bool) -> None:
    with api("reviewer", data) as client:
        try:
            done = client.post(path, body)
        except MultiMailError as error:
            typer.secho(f"Not done: {error}", err=True)
            raise typer.Exit(1) from None
    line = f"{done['from_thread_id']} -> {done['thread_id']}; take it back with: gatepost thread undo {done['move_id']}"
    say(done, line, as_json=as_json)
