"""`gatepost domains`: what to publish, what is wrong with it, and the change of DKIM keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import rest

domains = typer.Typer(help="Domains: records to publish, verification, DKIM keys.", no_args_is_help=True)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Domain = Annotated[str, typer.Argument(help="Its name, or dom_...")]


@domains.command("list")
def list_domains(data: Data = None, as_json: AsJson = False) -> None:
    """List the domains and how many problems each has.

    Example: gatepost domains list --json
    """
    with rest("operator", data) as client:
        rows = client.list_domains()["domains"]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("domain", "status", "problems", "looked at")
    for row in rows:
        table.add_row(row["domain"], row["status"], str(len(row["problems"])), row["checked_at"] or "never")
    Console().print(table)


@domains.command("add")
def add_domain(
    domain: Annotated[str, typer.Argument(help="Like example.org.")], data: Data = None, as_json: AsJson = False
) -> None:
    """Add a domain: its DKIM keys are made, and the records to publish are printed.

    Example: gatepost domains add example.org
    """
    with rest("operator", data) as client:
        _show(client.add_domain(domain), as_json=as_json)


@domains.command("verify")
def verify_domain(domain: Domain, data: Data = None, as_json: AsJson = False) -> None:
    """Look at a domain's records now, and say what is wrong. Ends with 1 while something is.

    Example: gatepost domains verify example.org
    """
    with rest("operator", data) as client:
        found = client.verify_domain(domain)
    _show(found, as_json=as_json)
    if found["problems"]:
        raise typer.Exit(1)


@domains.command("rotate")
def rotate_key(
    domain: Domain,
    step: Annotated[str, typer.Argument(help="next: make keys to publish; switch: sign with them; retire: tidy up.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Change the DKIM keys, in three steps; nothing is signed with a key that the DNS does not have.

    Example: gatepost domains rotate example.org next
    """
    with rest("operator", data) as client:
        told = client.rotate_domain_key(domain, step)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    for key in told["keys"]:
        typer.echo(f"{key['use']:14} {key['name']}\n  {key['type']} {key['value']}")
    for name in told["retired"]:
        typer.echo(f"may be deleted {name}")


@domains.command("remove")
def remove_domain(domain: Domain, data: Data = None) -> None:
    """Take a domain off the account. Its keys stay sealed in the database.

    Example: gatepost domains remove example.com
    """
    with rest("operator", data) as client:
        client.delete_domain(domain)
    typer.echo(f"{domain} is removed")


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(f"{found['domain']}: {found['status']}")
    for check in found["dns_records"]:
        typer.echo(f"\n[{check['status']}] {check['purpose']}: {check['words']}")
        typer.echo(f"  {check['name']} {check['type']} {check['value']}")
