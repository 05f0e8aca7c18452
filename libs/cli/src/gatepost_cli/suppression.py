"""`gatepost suppression`: whom nobody here writes to."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import rest
from gatepost_cli.saying import AsJson, say

suppression = typer.Typer(help="Whom nobody here writes to: list, add, remove, import, export.", no_args_is_help=True)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
Mailbox = Annotated[str | None, typer.Option(help="Of this mailbox only (id or address).")]
Category = Annotated[str | None, typer.Option(help="Of this category of mail only.")]


@suppression.command("list")
def list_entries(
    mailbox: Mailbox = None, category: Category = None,
    reason: Annotated[str | None, typer.Option(help="unsubscribed, bounced, complained or manual.")] = None,
    search: Annotated[str | None, typer.Option(help="Part of an address.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 50,
    data: Data = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List entries, newest first.

    Examples: gatepost suppression list; gatepost suppression list --reason bounced --json
    """
    with rest("operator", data) as client:
        found = client.list_suppressions(mailbox=mailbox, category=category, reason=reason, q=search, limit=limit)
    if as_json:
        typer.echo(json.dumps(found["suppressions"], indent=2))
        return
    table = Table("address", "reason", "mailbox", "category", "since")
    for row in found["suppressions"]:
        table.add_row(row["address"], row["reason"], row["mailbox_id"] or "", row["category"] or "", row["created_at"])
    Console().print(table)


@suppression.command("add")
def add_entry(
    address: Annotated[str, typer.Argument(help="Never write there again.")],
    mailbox: Mailbox = None, category: Category = None, data: Data = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Suppress an address: for the whole account, one mailbox, or one category of mail.

    Example: gatepost suppression add ada@customer.example --category newsletter
    """
    with rest("operator", data) as client:
        done = client.add_suppression(address, mailbox=mailbox, category=category)
    say(done, f"{address} is suppressed", as_json=as_json)


@suppression.command("remove")
def remove_entry(
    address: Annotated[str, typer.Argument(help="Mail may go there again.")],
    note: Annotated[str | None, typer.Option(help="Why; needed for bounces and complaints.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also after a bounce or a complaint.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Let mail go to an address again. Only an operator may.

    Example: gatepost suppression remove ada@customer.example --force --note "asked us by phone"
    """
    with rest("operator", data) as client:
        done = client.remove_suppression(address, force=force, note=note)
    say(done, f"{address} may be written to", as_json=as_json)


@suppression.command("import")
def import_entries(
    file: Annotated[Path, typer.Argument(help="CSV with a column address; reason, mailbox, category if you have them.",
                                         exists=True, dir_okay=False)],
    data: Data = None,
) -> None:  # fmt: skip
    """Add every address of a CSV file. Lines that cannot be taken are named; the others are added.

    Example: gatepost suppression import exported-bounces.csv
    """
    lines = file.read_text("utf-8-sig").splitlines()
    if not lines:
        typer.secho("The file is empty.", err=True)
        raise typer.Exit(1)
    has_heading = "@" not in lines[0]
    heading, rows = (lines[0], lines[1:]) if has_heading else ("address", lines)
    added = known = 0
    wrong: list[str] = []
    with rest("operator", data) as client:
        for start in range(0, len(rows), 2_000):
            told = client.import_suppressions("\n".join([heading, *rows[start : start + 2_000]]))
            added, known = added + told["added"], known + told["already_suppressed"]
            wrong += [
                f"line {e['line'] + start - (not has_heading)}: {e['address']}: {e['error']}" for e in told["errors"]
            ]
    typer.echo(f"{added} added, {known} were there already, {len(wrong)} refused")
    for line in wrong:
        typer.secho(line, err=True)
    if wrong:
        raise typer.Exit(1)


@suppression.command("export")
def export_entries(
    file: Annotated[Path | None, typer.Argument(help="Write here; else to standard output.")] = None,
    mailbox: Mailbox = None, category: Category = None, data: Data = None,
) -> None:  # fmt: skip
    """Write the list as CSV.

    Example: gatepost suppression export suppression.csv
    """
    with rest("operator", data) as client:
        raw = client.export_suppressions(mailbox=mailbox, category=category)
    if file is None:
        sys.stdout.buffer.write(raw)
        return
    file.write_bytes(raw)
    typer.echo(f"{max(0, len(raw.splitlines()) - 1)} entries in {file}")
