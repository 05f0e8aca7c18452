"""`gatepost probe`: one mail through a live installation, step by step, and where it stopped if it did."""

from __future__ import annotations

import json
import secrets
import smtplib
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Any

import typer

from gatepost_cli.connect import api
from gatepost_cli.ready import maybe_running
from gatepost_client import MultiMailError


def probe(
    smtp: Annotated[
        str | None, typer.Option(help="host:port where mail comes in; else the local installation's.")
    ] = None,
    mailbox: Annotated[str | None, typer.Option(help="Its address; else the local installation's first.")] = None,
    timeout_s: Annotated[float, typer.Option(help="Give up on a step after this long.")] = 30,
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send a mail in, answer it as the agent, withdraw the answer, and tell which step failed. Nothing leaves.

    Example: gatepost probe --smtp mail.example.com:25 --mailbox support@example.com
    """
    local = maybe_running(data) or {}
    host, _, port = (
        smtp or f"{local.get('smtp', {}).get('host', '')}:{local.get('smtp', {}).get('port', '')}"
    ).rpartition(":")
    address = mailbox or local.get("mailbox", {}).get("address")
    if not host or not port.isdigit() or not address:
        typer.secho("Say where mail comes in (--smtp host:port) and to which mailbox (--mailbox).", err=True)
        raise typer.Exit(2)
    steps = Steps(as_json=as_json)
    word = secrets.token_hex(6)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "probe@gatepost.invalid", address, f"Probe {word}"
    mail["Message-ID"] = f"<probe.{word}@gatepost.invalid>"
    mail.set_content("A probe by the operator. Nobody has to answer.")
    with api("agent", data) as client:
        steps.run("the API answers", client.status)
        steps.run("SMTP takes the mail", lambda: _write(host, int(port), mail))
        found = steps.run("the mail is stored", lambda: _until(lambda: _find(client, address, word), timeout_s))
        if found["status"] in {"unread", "read"}:
            sent = steps.run(
                "an answer is taken",
                lambda: client.reply_email(found["id"], f"Probe {word}", oversight_mode="gated_send"),
            )
            steps.run("the gate judged it", lambda: _until(lambda: _judged(client, sent["id"]), timeout_s))
            steps.run("the answer is withdrawn", lambda: client.cancel_message(sent["id"]))
        else:
            steps.say("the gate holds the mail itself", f"its status is {found['status']}: nothing more to try")
    steps.end()


class Steps:
    """What was tried, how long it took, and where it stopped."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json, self._done = as_json, list[dict[str, Any]]()

    def run(self, name: str, work: Callable[[], Any]) -> Any:
        """One step; a failure ends the probe and says which it was."""
        began = time.monotonic()
        try:
            result = work()
        except (MultiMailError, OSError, smtplib.SMTPException, TimeoutError) as reason:
            self.say(name, f"failed: {reason}", ok=False)
            self.end(1)
        self.say(name, f"{(time.monotonic() - began) * 1000:.0f} ms")
        return result

    def say(self, name: str, words: str, *, ok: bool = True) -> None:
        """Tell it."""
        self._done.append({"step": name, "ok": ok, "detail": words})
        if not self._as_json:
            typer.echo(f"{'ok ' if ok else 'NO '} {name}: {words}")

    def end(self, status: int = 0) -> None:
        """Leave, with everything as JSON where asked."""
        if self._as_json:
            typer.echo(json.dumps({"ok": status == 0, "steps": self._done}, indent=2))
        raise typer.Exit(status)


def _write(host: str, port: int, mail: EmailMessage) -> None:
    with smtplib.SMTP(host, port, timeout=15) as smtp:
        smtp.send_message(mail)


def _find(client: Any, address: str, word: str) -> dict[str, Any] | None:
    page = client.check_inbox(address, direction="inbound", subject_contains=word, limit=1)
    return page["messages"][0] if page["messages"] else None


def _judged(client: Any, message_id: str) -> dict[str, Any] | None:
    mail = client.read_email(message_id)
    return None if mail["status"] == "pending_scan" else dict(mail)


def _until(look: Callable[[], dict[str, Any] | None], seconds: float) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"nothing came within {seconds:.0f} s")
