"""`gatepost import`: mail of the past into a mailbox, from mbox, maildir or .eml files.

It goes in through ingest's HTTP door, oldest first, so that threads grow as they grew. It is stored and shown like any
mail and never answered. Doing it again is harmless: the same bytes are stored once.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gatepost_cli.ready import maybe_running
from gatepost_cli.settings import CliSettings

TRIES = 8
_HEAD_BYTES = 65_536

imports = typer.Typer(help="Bring mail of the past in: from mbox, maildir or .eml files.", no_args_is_help=True)


@dataclass(frozen=True)
class Piece:
    """Where one mail lies, and when it says that it was written (seconds; 0: it does not say)."""

    at: float
    path: Path
    start: int
    end: int
    is_mbox: bool = False

    def raw(self) -> bytes:
        """The mail with CRLF line ends, as it once was on the wire."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            content = file.read(self.end - self.start)
        lines = content.replace(b"\r\n", b"\n").split(b"\n")
        if self.is_mbox:  # mboxrd: one > was put before each line that looked like the start of a mail
            lines = [
                line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line for line in lines
            ]
        return b"\r\n".join(lines)


def in_mbox(path: Path) -> Iterator[Piece]:
    """The mails of an mbox file: each begins with a `From ` line at the start or after an empty line."""
    start: int | None = None
    head, place, was_empty = b"", 0, True
    with path.open("rb") as file:
        for line in file:
            if was_empty and line.startswith(b"From "):
                if start is not None:
                    yield _piece(head, path, start, place, is_mbox=True)
                start, head = place + len(line), b""
            elif len(head) < _HEAD_BYTES:
                head += line
            was_empty = line in {b"\n", b"\r\n"}
            place += len(line)
    if start is not None:
        yield _piece(head, path, start, place, is_mbox=True)


def in_maildir(path: Path) -> Iterator[Piece]:
    """The mails of a maildir: what was read and what is new."""
    if not (path / "cur").is_dir():
        raise typer.BadParameter(f"{path} is no maildir: it has no folder cur")
    for folder in ("cur", "new"):
        if (path / folder).is_dir():
            yield from (_whole(file) for file in sorted((path / folder).iterdir()) if file.is_file())


def in_files(paths: Iterable[Path]) -> Iterator[Piece]:
    """Files, and the .eml files of folders."""
    for path in paths:
        yield from (_whole(f) for f in sorted(path.rglob("*.eml"))) if path.is_dir() else [_whole(path)]


def _whole(path: Path) -> Piece:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return _piece(head, path, 0, path.stat().st_size)


def _piece(head: bytes, path: Path, start: int, end: int, *, is_mbox: bool = False) -> Piece:
    at = 0.0
    for line in head.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0].split(b"\n"):
        if line[:5].lower() == b"date:":
            try:
                at = email.utils.parsedate_to_datetime(line[5:].decode("latin-1").strip()).timestamp()
            except (ValueError, TypeError, OverflowError):
                at = 0.0
            break
    return Piece(at, path, start, end, is_mbox)


Mailbox = Annotated[str, typer.Option(help="Address of the mailbox that gets the mail.")]
Url = Annotated[str | None, typer.Option(help="Ingest's HTTP door; else the running installation's.")]
Secret = Annotated[Path | None, typer.Option(help="File with the relay's secret; else the running installation's.")]
Data = Annotated[Path | None, typer.Option(help="Folder of the running installation.")]


@imports.command("mbox")
def mbox(path: Path, mailbox: Mailbox, url: Url = None, secret_file: Secret = None, data: Data = None) -> None:
    """Bring the mails of an mbox file in. Example: gatepost import mbox All.mbox --mailbox support@demo.test"""
    _bring(in_mbox(_there(path)), mailbox, url, secret_file, data)


@imports.command("maildir")
def maildir(path: Path, mailbox: Mailbox, url: Url = None, secret_file: Secret = None, data: Data = None) -> None:
    """Bring the mails of a maildir in. Example: gatepost import maildir ~/Maildir --mailbox support@demo.test"""
    _bring(in_maildir(_there(path)), mailbox, url, secret_file, data)


@imports.command("eml")
def eml(paths: list[Path], mailbox: Mailbox, url: Url = None, secret_file: Secret = None, data: Data = None) -> None:
    """Bring single mails, or the .eml files of folders, in. Example: gatepost import eml old/*.eml --mailbox a@b.test"""
    _bring(in_files([_there(path) for path in paths]), mailbox, url, secret_file, data)


def _there(path: Path) -> Path:
    if not path.exists():
        raise typer.BadParameter(f"{path} is not there")
    return path


def _bring(pieces: Iterable[Piece], mailbox: str, url: str | None, secret_file: Path | None, data: Path | None) -> None:
    found = sorted(pieces, key=lambda piece: piece.at)
    door = _Door(*_way_in(url, secret_file, data), mailbox)
    stored, refused = 0, list[tuple[Piece, str]]()
    columns = (TextColumn("mail"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        for piece in progress.track(found, total=len(found)):
            problem = door.post(piece.raw())
            stored += problem is None
            if problem is not None:
                refused.append((piece, problem))
    door.close()
    typer.echo(f"{stored} of {len(found)} mails are stored.")
    for piece, problem in refused[:20]:
        typer.secho(f"  not taken: {piece.path} at byte {piece.start}: {problem}", err=True)
    if refused:
        raise typer.Exit(1)


def _way_in(url: str | None, secret_file: Path | None, data: Path | None) -> tuple[str, str]:
    settings = CliSettings()
    local = (maybe_running(data) or {}).get("inbound") or {}
    url = url or settings.inbound_url or local.get("url")
    secret = secret_file.read_text("utf-8").strip() if secret_file else settings.inbound_secret or local.get("secret")
    if not url or not secret:
        typer.secho(
            "No way in: start `gatepost up` here, or set GATEPOST_INBOUND_URL and GATEPOST_INBOUND_SECRET.", err=True
        )
        raise typer.Exit(2)
    return url, secret


class _Door:
    """A kept connection to ingest's HTTP door."""

    def __init__(self, url: str, secret: str, mailbox: str) -> None:
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=60)
        self._path = f"{parts.path}?{urllib.parse.urlencode({'to': mailbox, 'history': '1'})}"
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "message/rfc822"}

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def post(self, raw: bytes) -> str | None:
        """Why it was not taken; None when it is stored. What passes is tried again."""
        problem = "nobody answers"
        for attempt in range(TRIES):
            try:
                self._connection.request("POST", self._path, raw, self._headers)
                reply = self._connection.getresponse()
                body = reply.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                problem = f"ingest does not answer: {type(error).__name__}"
            else:
                if reply.status < 300:
                    return None
                problem = _words_of(body, reply.status)
                if reply.status != 503:
                    return problem
            time.sleep(min(0.25 * 2**attempt, 5))
        return problem


def _words_of(body: bytes, status: int) -> str:
    try:
        said = json.loads(body)
        return f"{said['error']} {said.get('hint', '')}".strip()
    except (ValueError, KeyError, TypeError):
        return f"status {status}"
