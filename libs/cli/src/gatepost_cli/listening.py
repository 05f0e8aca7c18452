"""`gatepost listen`: what happens, as it happens, handed to a program on this machine."""

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

from gatepost_cli.connect import is_local, where

Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
Mailbox = Annotated[str | None, typer.Option(help="Id or address; the only mailbox when left out.")]


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
