"""`gatepost demo`: one real mail, all the way, in front of your eyes.

A customer's mail goes in over SMTP, the drafter answers it from the knowledge, the gate holds the draft,
the demo approves it with the reviewer's key, and the mail catcher shows what left.
"""

from __future__ import annotations

import json
import smtplib
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from gatepost_cli.connect import api
from gatepost_cli.ready import running

T = TypeVar("T")
console = Console(highlight=False)

CUSTOMER = "Ada Customer <ada@customer.example>"
QUESTION = """Hello,

how long does delivery to Austria take, and where can I see where my order is?

Thank you
Ada
"""


def demo(
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
    question: Annotated[str, typer.Option(help="What the customer asks.")] = QUESTION,
    timeout_s: Annotated[float, typer.Option(help="Give up on a step after this long.")] = 30,
) -> None:
    """Send a real mail through a running Gatepost, approve the draft, and show what left.

    Example: gatepost demo --question "How do I return an item?"
    """
    info = running(data)
    mailbox = info["mailbox"]
    sent = _send(info, mailbox["address"], question)
    console.print(f"1. A customer wrote to [bold]{mailbox['address']}[/] over SMTP, and the server answered 250.")
    reviewer = api("reviewer", data)
    pending = _wait(lambda: _pending_answer(reviewer, mailbox["id"], sent), "a draft in the review queue", timeout_s)
    if pending is not None:
        console.print("2. The drafter answered, and the gate holds the draft:")
        _show(pending)
        decided = reviewer.decide_email(pending["message_id"], "approve", revision=pending["content_sha256"])
        console.print(f"3. Approved with the reviewer's key: [bold]{decided['status']}[/].")
    if info.get("catcher_url"):
        left = _wait(lambda: _caught(info["catcher_url"], sent), "the mail at the catcher", timeout_s)
        if left is None:
            raise typer.Exit(1)
        console.print("4. This left, DKIM-signed, threaded, with one-click unsubscribe:")
        _show_left(left)
        console.print(f"Everything that left: {info['catcher_url']}")


def _send(info: dict[str, Any], address: str, question: str) -> str:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = CUSTOMER, address, "Delivery to Austria"
    mail["Message-ID"] = make_msgid(domain="customer.example")
    mail.set_content(question)
    with smtplib.SMTP(info["smtp"]["host"], info["smtp"]["port"], timeout=10) as smtp:
        smtp.send_message(mail)
    return str(mail["Message-ID"])


def _wait(look: Callable[[], T | None], what: str, timeout_s: float) -> T | None:
    """Ask until there is an answer; says plainly what did not come."""
    until = time.monotonic() + timeout_s
    with console.status(f"waiting for {what} ..."):
        while time.monotonic() < until:
            if (found := look()) is not None:
                return found
            time.sleep(0.1)
    console.print(f"[red]No sign of {what} after {timeout_s:.0f} s.[/] `gatepost status` tells where it waits.")
    raise typer.Exit(1)


def _pending_answer(reviewer: Any, mailbox: str, rfc_message_id: str) -> dict[str, Any] | None:
    for item in reviewer.list_pending(mailbox)["messages"]:
        if (item.get("original") or {}).get("rfc_message_id") == rfc_message_id:
            return dict(item)
    return None


def _caught(catcher_url: str, answered: str) -> dict[str, Any] | None:
    for mail in _get(f"{catcher_url}/api/messages"):
        headers = {name.lower(): value for name, value in mail["headers"]}
        if headers.get("in-reply-to", "").strip() == answered:
            return dict(mail)
    return None


def _get(url: str) -> list[dict[str, Any]]:
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError(f"not a web address: {url}")
    with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 (the scheme was checked)
        content = json.load(reply)
    return list(content["messages"] if isinstance(content, dict) else content)


def _show(pending: dict[str, Any]) -> None:
    reasons = ", ".join(str(reason["rule"]) for reason in pending.get("reasons") or ())
    console.print(
        Panel(Text(pending["draft_body"]), title=f"draft to {', '.join(pending['to'])}", subtitle=f"held: {reasons}")
    )


def _show_left(mail: dict[str, Any]) -> None:
    shown = ("from", "to", "subject", "in-reply-to", "list-unsubscribe", "list-unsubscribe-post")
    lines = [f"{name}: {' '.join(value.split())}" for name, value in mail["headers"] if name.lower() in shown]
    lines += [f"DKIM: {d['domain']} {d['selector']} {d['result']}" for d in mail["dkim"]]
    console.print(Panel(Text("\n".join(lines) + "\n\n" + mail["text"].strip()), title="left over SMTP"))
