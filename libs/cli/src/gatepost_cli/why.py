"""`gatepost why`: the chain of verdicts on one mail, from the wire to where it stands now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gatepost_cli.connect import api

_NAMED_BY = {
    "nothing": "it names no mail that is known here",
    "token": "it names a mail of ours by its signed Message-ID",
    "plus_address": "it came to an address of ours that names the thread",
    "reference": "it names a mail that is known here by its Message-ID",
    "provider": "it names a mail of ours by the id that a provider gave to it",
}
_REFUSED = {
    "not_a_participant": "its author neither wrote on that thread nor was addressed there",
    "author_unproven": "its author's domain disowns it",
}


def why(
    message_id: Annotated[str, typer.Argument(help="The mail, as msg_01...")],
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what happened to one mail, step by step, by whom and on which grounds.

    Examples: gatepost why msg_01JD...; gatepost why msg_01JD... --json
    """
    with api("reviewer", data) as client:
        told = client.why(message_id)
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{told['message_id']} on thread {told['thread_id']}")
    for link in told["chain"]:
        for line in lines(link):
            typer.echo(line)
    for hook in told.get("webhooks") or ():
        answer = hook["error"] or hook["response_status"] or "not tried yet"
        tries = f"{hook['attempts']} attempt{'' if hook['attempts'] == 1 else 's'}"
        typer.echo(f"told {hook['webhook_id']} of {hook['event_type']}: {hook['status']}, {answer}, {tries}")
    if trace := told.get("trace_id"):
        typer.echo(f"trace {trace}")


def lines(link: Mapping[str, Any]) -> Iterator[str]:
    """One step in words."""
    who = " ".join(str(part) for part in (link.get("role"), link.get("principal") or link.get("actor")) if part)
    moved = f"{link.get('from') or 'new'} -> {link.get('to') or 'unchanged'}"
    yield f"{link.get('seq')}. {link.get('at')}  {link.get('event')} ({link.get('row')}): {moved}, by {who}"
    data = link.get("data") or {}
    for reason in data.get("reasons") or ():
        yield f"     because of {reason}"
    if told := data.get("why"):
        yield from _arrival(told)
    shown = {
        "action",
        "status_code",
        "severity",
        "kind",
        "proven",
        "note",
        "reason",
        "reason_code",
        "merged_from",
        "moved",
    }
    for name in sorted(shown & set(data)):
        if data[name] not in (None, "", [], "none"):
            yield f"     {name.replace('_', ' ')}: {data[name]}"
    if link.get("emits"):
        yield f"     told as {', '.join(link['emits'])}"


def _arrival(told: Mapping[str, Any]) -> Iterator[str]:
    """How a mail was judged when it came."""
    signatures = ", ".join(told.get("dkim") or ()) or "no signature"
    yield f"     SPF {told.get('spf')}; DKIM {signatures}; ARC {told.get('arc')}; DMARC {told.get('dmarc')}"
    yield f"     author proven: {told.get('verified_domain') or 'no'}"
    placed = "joined the thread" if told.get("thread") == "joined" else "opened a thread"
    yield f"     {placed}: {_NAMED_BY.get(str(told.get('named_by')), told.get('named_by'))}"
    if refused := told.get("refused"):
        yield f"     not joined, because {_REFUSED.get(refused, refused)}; it would have been {told.get('related_thread_id')}"
    if told.get("automatic"):
        yield f"     never answered by machine: {', '.join(told['automatic'])}"
    if told.get("flags"):
        yield f"     marked: {', '.join(told['flags'])}"
    if told.get("defects"):
        yield f"     read in spite of: {', '.join(told['defects'])}"
