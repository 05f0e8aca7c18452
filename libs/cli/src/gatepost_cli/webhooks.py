"""`gatepost webhooks`: who is told, whether it arrived, and sending again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import ask
from gatepost_cli.moments import moment

webhooks = typer.Typer(help="Webhooks: list, try, look at deliveries, send again.", no_args_is_help=True)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Webhook = Annotated[str | None, typer.Option(help="Of this webhook (whk_...); else of all.")]
EventType = Annotated[str | None, typer.Option("--event", help="Only of this event, by any of its names.")]
Mail = Annotated[str | None, typer.Option("--id", help="Only of this mail (msg_...).")]


@webhooks.command("ls")
def ls(data: Data = None, as_json: AsJson = False) -> None:
    """List the webhooks with their warnings.

    Example: gatepost webhooks ls
    """
    found = ask("operator", data, "GET", "/v1/webhooks")["webhooks"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("id", "url", "events", "mailbox", "state", "look at")
    for hook in found:
        state = "on" if hook["is_active"] else "off"
        state += f", failing since {hook['failing_since']}" if hook["failing_since"] else ""
        table.add_row(hook["id"], hook["url"], " ".join(hook["events"]), hook["mailbox"] or "all", state,
                      " ".join(hook["warnings"]))  # fmt: skip
    Console().print(table)


@webhooks.command("test")
def sample(
    webhook: Annotated[str, typer.Argument(help="Its id (whk_...).")],
    event: EventType = None,
    data: Data = None,
) -> None:
    """Send a sample of an event, signed like a real one.

    Example: gatepost webhooks test whk_01J... --event email.received
    """
    told = ask("operator", data, "POST", f"/v1/webhooks/{webhook}/test", {"event": event} if event else {})
    typer.echo(f"{told['id']} is on its way; see `gatepost webhooks log --webhook {webhook}`")
    if note := told.get("note"):
        typer.echo(note)


@webhooks.command("log")
def log(
    webhook: Webhook = None,
    status: Annotated[str | None, typer.Option(help="pending, delivered, failed, disabled or deleted.")] = None,
    event: EventType = None,
    mail: Mail = None,
    limit: Annotated[int, typer.Option(help="At most so many, the newest ones.")] = 20,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what was sent and how it went, the newest first.

    Examples: gatepost webhooks log --status failed; gatepost webhooks log --id msg_01J...
    """
    page = ask(
        "operator", data, "GET", "/v1/webhook-deliveries", webhook_id=webhook, status=status, event_type=event,
        message_id=mail, limit=limit,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(page, indent=2))
        return
    table = Table("id", "webhook", "event", "status", "attempts", "answer", "ms", "last attempt")
    for one in page["deliveries"]:
        table.add_row(one["id"], one["webhook_id"], one["event_type"], one["status"], str(one["attempts"]),
                      one["error"] or str(one["response_status"] or ""), str(one["latency_ms"] or ""),
                      one["last_attempt_at"] or "")  # fmt: skip
    console = Console()
    console.print(table)
    if note := page.get("note"):
        console.print(note)


@webhooks.command("redeliver")
def redeliver(
    delivery: Annotated[str | None, typer.Argument(help="One delivery (whd_...); else what the options say.")] = None,
    webhook: Webhook = None,
    status: Annotated[list[str] | None, typer.Option(help="failed, disabled, delivered; repeatable.")] = None,
    event: EventType = None,
    mail: Mail = None,
    thread: Annotated[str | None, typer.Option(help="Only of this thread.")] = None,
    since: Annotated[str | None, typer.Option(help="From here on: 2h, 3d, or a date.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to here.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    data: Data = None,
) -> None:
    """Send again, with the same ids and bytes, the oldest first: one delivery, or all that fit, of every webhook or of one.

    Examples: gatepost webhooks redeliver --since 6h --dry-run; gatepost webhooks redeliver --since 6h;
    gatepost webhooks redeliver whd_0123...
    """
    if delivery is not None:
        ask("operator", data, "POST", f"/v1/webhook-deliveries/{delivery}/redeliver", {})
        typer.echo(f"{delivery} goes again")
        return
    begin, end = moment(since), moment(until)
    wanted: dict[str, Any] = {
        "webhook_id": webhook, "status": status, "event_type": event, "message_id": mail, "thread_id": thread,
        "since": begin and begin.isoformat(), "until": end and end.isoformat(), "dry_run": dry_run or None,
    }  # fmt: skip
    body = {name: value for name, value in wanted.items() if value}
    sent = hurried = 0
    is_more = True
    while is_more:
        told = ask("operator", data, "POST", "/v1/webhook-deliveries/redeliver", body)
        sent, hurried, is_more = sent + told["count"], hurried + told["hurried"], told["more"]
        body["since"] = told["next_since"]
    would = "would go" if dry_run else "go"
    typer.echo(f"{sent} {would} again, {hurried} that wait {would} now")
