"""`gatepost replay`: past events through a service's real handlers, in shadow, and then held against now.

The service itself runs them (`gatepost-<service> replay`), so that it is today's code, rules and settings that answer.
Exit code: 0 when now is as then, 1 when something differs, 2 when it could not be done.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import nats
import typer
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from gatepost_cli.connect import database_url, nats_url
from gatepost_cli.moments import moment
from gatepost_cli.owner import owner_store
from gatepost_cli.ready import maybe_running
from gatepost_cli.settings import CliSettings, inherited_environment
from gatepost_contracts.catalogue import CONSUMERS, EVENTS_BY_TYPE
from gatepost_runtime.streams import EVENTS

Line = dict[str, Any]


def replay(
    event: Annotated[str | None, typer.Argument(help="An event type, e.g. email.received.")] = None,
    to: Annotated[str, typer.Option(help="Which service handles them.")] = "",
    mailbox: Annotated[str | None, typer.Option(help="Only of this mailbox (mbx_...).")] = None,
    thread: Annotated[str | None, typer.Option(help="Only of this thread (thr_...).")] = None,
    mail: Annotated[str | None, typer.Option("--id", help="Only of this mail (msg_...), or this event id.")] = None,
    since: Annotated[str | None, typer.Option(help="From here on: 2h, 3d, or a date.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to here.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many, the newest ones.")] = 1000,
    from_file: Annotated[Path | None, typer.Option(help="Events of a capture instead of the stream's.")] = None,
    capture: Annotated[
        Path | None, typer.Option(help="Write the events with all they need into this file, and stop.")
    ] = None,
    redeliver: Annotated[bool, typer.Option("--redeliver", help="Process them again for real.")] = False,
    models: Annotated[bool, typer.Option("--models", help="Really call models; they are paid for.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    workers: Annotated[int, typer.Option(help="Events at a time.")] = 16,
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
) -> None:
    """Run past events through a service's handler, touching nothing, and show what differs from then.

    Examples: gatepost replay email.received --since 2h --to drafter;
    gatepost replay email.drafted --id msg_01J... --to gatekeeper --json;
    gatepost replay email.received --id msg_01J... --capture bug.jsonl; gatepost replay --from-file bug.jsonl --to drafter
    """
    lines = _chosen(event, from_file, mailbox, thread, mail, moment(since), moment(until), limit, data)
    if not lines:
        typer.echo("no such events", err=True)
        raise typer.Exit(2)
    if capture is not None:
        _capture(capture, lines, data)
        raise typer.Exit(0)
    if redeliver:
        ids = [json.loads(line["body"])["event_id"] for line in lines]
        typer.echo(f"{asyncio.run(_redeliver(data, ids))} of {len(ids)} go out again")
        raise typer.Exit(0)
    if to not in CONSUMERS:
        raise typer.BadParameter(f"one of {', '.join(CONSUMERS)}", param_hint="--to")
    outcomes = list(_outcomes(to, lines, data, models=models, workers=workers, quiet=as_json))
    for outcome in outcomes if as_json else ():
        typer.echo(json.dumps(outcome))
    if not as_json:
        _show(outcomes)
    if len(outcomes) < len(lines):
        typer.echo(f"{to} stopped after {len(outcomes)} of {len(lines)}", err=True)
        raise typer.Exit(2)
    raise typer.Exit(1 if any(outcome["differs"] for outcome in outcomes) else 0)


def _chosen(
    event: str | None, from_file: Path | None, mailbox: str | None, thread: str | None, mail: str | None,
    since: datetime | None, until: datetime | None, limit: int, data: Path | None,
) -> list[Line]:  # fmt: skip
    if from_file is not None:
        lines = [json.loads(text) for text in from_file.read_text("utf-8").splitlines() if text.strip()]
    elif event is None or event not in EVENTS_BY_TYPE:
        raise typer.BadParameter(f"one of {', '.join(EVENTS_BY_TYPE)}", param_hint="EVENT")
    else:
        lines = asyncio.run(_past(nats_url(data), f"{event}.{mailbox or '*'}", since))
    found = []
    for line in lines:
        said = json.loads(line["body"])
        if event is not None and not line["subject"].startswith(f"{event}."):
            continue
        if thread is not None and said.get("thread_id") != thread:
            continue
        if mail is not None and mail not in {said.get("message_id"), said["event_id"], said["subject_id"]}:
            continue
        if until is not None and datetime.fromisoformat(said["occurred_at"]) > until:
            continue
        found.append(line)
    return found[-limit:]


async def _past(url: str, subject: str, since: datetime | None) -> list[Line]:
    """Events as they lie in the stream, by an ephemeral consumer that acks nothing."""
    client = await nats.connect(url, inbox_prefix="_INBOX_operator", allow_reconnect=False, connect_timeout=5)
    try:
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE, inactive_threshold=30, filter_subject=subject,
            deliver_policy=DeliverPolicy.BY_START_TIME if since else DeliverPolicy.ALL,
            opt_start_time=since.isoformat() if since else None,  # type: ignore[arg-type]
        )  # fmt: skip
        reader: Any = await client.jetstream().pull_subscribe(subject, stream=EVENTS, config=config)
        found = await reader.consumer_info()
        left, lines = found.num_pending, list[Line]()
        while left > 0:
            batch = await reader.fetch(min(left, 500), timeout=5)
            left -= len(batch)
            lines += [{"subject": message.subject, "body": message.data.decode()} for message in batch]
        await client.jetstream().delete_consumer(EVENTS, found.name)  # so that nothing of us is left
        return lines
    finally:
        await client.close()


async def _redeliver(data: Path | None, ids: Sequence[str]) -> int:
    async with owner_store(database_url(data)) as store:
        return await store.republish(ids)


def _capture(path: Path, lines: Sequence[Line], data: Path | None) -> None:
    """Each event with the rows of its thread, so that one file is enough on another machine. It holds mail: handle it so."""

    async def work() -> None:
        async with owner_store(database_url(data)) as store:
            with path.open("w", encoding="utf-8") as out:
                for line in lines:
                    said = json.loads(line["body"])
                    rows = await store.fetchval("capture", said["tenant_id"], said["mailbox_id"], said.get("thread_id"))
                    out.write(json.dumps(line | {"rows": rows}, default=str) + "\n")

    asyncio.run(work())
    path.chmod(0o600)
    typer.echo(f"{len(lines)} events with the mails of their threads in {path}")


def _outcomes(
    service: str, lines: Sequence[Line], data: Path | None, *, models: bool, workers: int, quiet: bool
) -> Iterator[Line]:
    command = [str(Path(sys.executable).with_name(f"gatepost-{service}")), "replay", "--workers", str(workers)]
    process = subprocess.Popen(
        [*command, *(["--models"] if models else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=_environment(service, data),
    )  # fmt: skip
    feeding = threading.Thread(target=_feed, args=(process, lines), daemon=True)
    feeding.start()
    with Progress(console=Console(stderr=True), disable=quiet or not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task(f"replaying to {service}", total=len(lines))
        for text in process.stdout or ():
            progress.advance(task)
            yield json.loads(text)
    process.wait()


def _feed(process: subprocess.Popen[str], lines: Sequence[Line]) -> None:
    try:
        with process.stdin or sys.stdin as pipe:
            for line in lines:
                pipe.write(json.dumps(line) + "\n")
    except OSError:  # it ended early; its missing answers tell
        return


def _environment(service: str, data: Path | None) -> dict[str, str]:
    """The service's own settings as far as they are set here, with the owner's database and no broker to reach."""
    own = {"GATEPOST_DATABASE_URL": database_url(data), "GATEPOST_NATS_URL": "nats://127.0.0.1:1"}
    if maybe_running(data) is not None:
        keys = (data or CliSettings().data).absolute() / "keys" / service
        own |= {"GATEPOST_ENV": "dev", "GATEPOST_KEYS_DIR": str(keys)}
    kept = {k: v for k, v in inherited_environment().items() if not k.endswith(("_URL_FILE", "_DATA"))}
    return kept | own


def _show(outcomes: Sequence[Line]) -> None:
    table = Table("event", "then", "now", "")
    for outcome in outcomes:
        if outcome["differs"]:
            now = outcome["error"] or _short(outcome.get("now", {}))
            table.add_row(
                outcome.get("event_id", outcome["subject"]), _short(outcome.get("then", {})), now, "[red]differs[/]"
            )
    console = Console()
    different = sum(1 for outcome in outcomes if outcome["differs"])
    if different:
        console.print(table)
    console.print(f"{len(outcomes)} replayed, {different} differ. Nothing was written, sent or published.")


def _short(doing: Line) -> str:
    parts = [f"{step['row']} {step['to'] or ''} {' '.join(step['data'].get('reasons') or ())}".strip()
             for step in doing.get("steps", ())]  # fmt: skip
    parts += [" ".join(draft["markdown"].split())[:160] or draft["failure"] or "" for draft in doing.get("drafts", ())]
    parts += [f"webhook {hook['alias']} to {hook['endpoint_id']}" for hook in doing.get("webhooks", ())]
    return "\n".join(parts) or "nothing"
