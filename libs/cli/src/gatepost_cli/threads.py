"""`gatepost thread`: put threads right, each step recorded and taken back with one word."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from gatepost_cli.connect import api
from gatepost_client import MultiMailError

thread = typer.Typer(help="Read a conversation; merge and split threads, and take a move back.", no_args_is_help=True)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]


@thread.command("merge")
def merge(
    thread_id: Annotated[str, typer.Argument(help="The thread whose mails move.")],
    into: Annotated[str, typer.Argument(help="The thread they move to.")],
    data: Data = None,
) -> None:
    """Put the mails of one thread into another of the same mailbox.

    Examples: gatepost thread merge thr_01JE... thr_01JD...
    """
    _move(f"/v1/threads/{quote(thread_id, safe='')}/merge", {"into": into}, data)


@thread.command("split")
def split(
    thread_id: Annotated[str, typer.Argument(help="The thread they are on.")],
    message_ids: Annotated[list[str], typer.Argument(help="The mails that move to a thread of their own.")],
    data: Data = None,
) -> None:
    """Put some mails of a thread into a new one.

    Examples: gatepost thread split thr_01JD... msg_01JD... msg_01JE...
    """
    _move(f"/v1/threads/{quote(thread_id, safe='')}/split", {"message_ids": message_ids}, data)


@thread.command("undo")
def undo(move_id: Annotated[str, typer.Argument(help="The move, as tmv_01...")], data: Data = None) -> None:
    """Take a merge or a split back.

    Examples: gatepost thread undo tmv_01JE...
    """
    _move(f"/v1/thread-moves/{quote(move_id, safe='')}/undo", {}, data)


def _move(path: str, body: dict[str, Any], data: Path | None) -> None:
    with api("reviewer", data) as client:
        try:
            done = client.post(path, body)
        except MultiMailError as error:
            typer.secho(f"Not done: {error}", err=True)
            raise typer.Exit(1) from None
    typer.echo(
        f"{done['from_thread_id']} -> {done['thread_id']}; take it back with: gatepost thread undo {done['move_id']}"
    )
