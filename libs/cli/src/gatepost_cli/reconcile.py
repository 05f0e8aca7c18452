"""`gatepost reconcile`: what the tables say must have been told and the streams do not hold is published again.

The database is the store of record. An event follows from its audit record, so even the loss of all of JetStream loses
none: the streams are declared anew, and everything of mails that are not finished, and of the time since `--since`, goes
out once more. Consumers bear what they have seen before.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import nats
import typer
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from gatepost_cli.connect import database_url, nats_url
from gatepost_cli.moments import moment
from gatepost_cli.owner import owner_store
from gatepost_runtime import streams as declared
from gatepost_store import Store

_PAGE = 5_000


def reconcile(
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
    since: Annotated[str, typer.Option(help="Compare from here on: 2h, 3d, or a date.")] = "24h",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the tables with the streams and publish what is missing; safe at any time, and again.

    Examples: gatepost reconcile; gatepost reconcile --since 7d --dry-run
    """
    start = moment(since)
    if start is None:
        raise typer.BadParameter("say since when", param_hint="--since")
    found = asyncio.run(_reconcile(data, start, is_dry=dry_run))
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(f"{found['told']} events should be known since then, or belong to mails that are not finished")
    typer.echo(f"{found['missing']} of them are in no stream")
    if not dry_run:
        typer.echo(f"{found['republished']} go out again; their services publish them within seconds")


async def _reconcile(data: Path | None, since: datetime, *, is_dry: bool) -> dict[str, int]:
    if not is_dry:
        await declared.apply(nats_url(data))
    async with owner_store(database_url(data)) as store:
        told = await _told(store, since)
        missing = sorted(told - await _held(nats_url(data)))
        republished = 0
        if not is_dry:
            for n in range(0, len(missing), _PAGE):
                republished += await store.republish(missing[n : n + _PAGE])
    return {"told": len(told), "missing": len(missing), "republished": republished}


async def _told(store: Store, since: datetime) -> set[str]:
    """The ids of all events that the records since then name, and those of mails that are not finished."""
    found = {row["event_id"] for row in await store.fetch("told_of_unfinished")}
    for tenant in await store.fetch("tenants"):
        at, last = since, ""
        while rows := await store.fetch("told_since", tenant["id"], at, last, _PAGE):
            found |= {f"{row['subject_id']}.{row['seq']}.{kind}" for row in rows for kind in row["emits"]}
            at, last = rows[-1]["at"], rows[-1]["place"]
    return found


async def _held(url: str) -> set[str]:
    """The ids of all events in the stream, read from their headers alone."""
    client = await nats.connect(url, inbox_prefix="_INBOX_operator", allow_reconnect=False, connect_timeout=5)
    try:
        js = client.jetstream()
        left = (await js.stream_info(declared.EVENTS)).state.messages
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, headers_only=True, inactive_threshold=30
        )
        reader: Any = await js.pull_subscribe(">", stream=declared.EVENTS, config=config)
        found: set[str] = set()
        until = datetime.now(UTC)
        while left > 0:
            try:
                batch = await reader.fetch(min(left, 500), timeout=2)
            except TimeoutError:
                break
            left -= len(batch)
            found |= {message.headers["Nats-Msg-Id"] for message in batch if "Nats-Msg-Id" in (message.headers or {})}
            if batch and batch[-1].metadata.timestamp > until:
                break
        return found
    finally:
        await client.close()
