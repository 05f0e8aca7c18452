"""`gatepost person` and `gatepost hold`: what is stored of a person, erasing it with a certificate, and what keeps it.

Exit codes: 0 done or proven, 1 refused or not proven, 2 wrongly called.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import ask
from gatepost_contracts.canonical import canonical, sha256_hex
from gatepost_store.audit.verify_audit import Unproven, need, verify

person = typer.Typer(help="A person's data: show it, erase it, check a certificate.", no_args_is_help=True)
hold = typer.Typer(help="Legal holds: data that nothing erases.", no_args_is_help=True)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Address = Annotated[str, typer.Argument(help="Their mail address.")]


@person.command("show")
def show(address: Address, data: Data = None, as_json: AsJson = False) -> None:
    """List the mails of a person, and what may become of each.

    `gatepost audit export FOLDER --customer ADDRESS --contents` hands them out.

    Example: gatepost person show ada@customer.example
    """
    found = ask("operator", data, "GET", f"/v1/people/{quote(address, safe='')}")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("mail", "direction", "state", "since", "may be erased")
    for row in found["mails"]:
        may = "kept by a hold" if row["kept_by_hold"] else "yes" if row["can_be_erased"] else "not yet"
        table.add_row(row["id"], row["direction"], row["state"], row["created_at"], may)
    Console().print(table)


@person.command("erase")
def erase(
    address: Address,
    certificate: Annotated[Path, typer.Option(help="Write the certificate here; never over another file.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Erase what is stored of a person, for good. What waits, is on its way or is under a hold stays and is counted.

    The certificate holds the address and opens the record of the erasure: keep it as you keep personal data.

    Example: gatepost person erase ada@customer.example --certificate ada-erased.json
    """
    path = f"/v1/people/{quote(address, safe='')}"
    try:
        out = os.open(certificate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # before anything is gone
    except OSError as error:
        typer.secho(f"The certificate cannot be written: {error}", err=True)
        raise typer.Exit(2) from None
    with os.fdopen(out, "w", encoding="utf-8") as file:
        try:
            count = ask("operator", data, "GET", path)["count"]
            if not yes:
                typer.confirm(f"Erase what is stored of {address} in {count} mails, for good?", abort=True)
            done = ask("operator", data, "DELETE", path)
        except BaseException:
            certificate.unlink()
            raise
        json.dump(done["certificate"], file, indent=2)
    if as_json:
        typer.echo(json.dumps(done))
        return
    typer.echo(
        f"{done['erased']} mails erased; {done['kept_by_hold']} kept by a hold, {done['not_ended']} not ended yet.\n"
        f"The certificate is {certificate}."
    )


@person.command("verify")
def verify_certificate(
    certificate: Annotated[Path, typer.Argument(help="The file that `person erase` wrote.")],
    key: Annotated[str | None, typer.Option(help="The log's verifier key, or a file that holds it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove from a certificate alone that the log promised a record of this person's erasure.

    Example: gatepost person verify ada-erased.json --key log/key.txt
    """
    try:
        pinned = Path(key).read_text("utf-8").strip() if key and Path(key).is_file() else key
        said: dict[str, Any] = json.loads(certificate.read_text("utf-8"))
        receipt, address, salt = said["receipt"], said["address"], said["salt"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        typer.secho(f"This is no certificate: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(2) from None
    try:
        verify(f"{canonical(receipt)}\n".encode(), pinned)
        record = receipt["record"]
        is_theirs = record["data"].get("person_sha256") == sha256_hex(f"{salt}\n{address}")
        need(record["row"] == "W16" and is_theirs, "the record is of another person, or of no erasure")
    except Unproven as fault:
        typer.echo(json.dumps({"ok": False, "problem": str(fault)}) if as_json else f"NOT PROVEN: {fault}")
        raise typer.Exit(1) from None
    told = {"ok": True, "address": address, "at": record["at"], "by": record["principal"], **record["data"]}
    words = f"proven: {told['mails']} mails of {address} were erased at {told['at']}"
    typer.echo(json.dumps(told) if as_json else words)


@hold.command("list")
def list_holds(data: Data = None, as_json: AsJson = False) -> None:
    """List the holds in force.

    Example: gatepost hold list --json
    """
    found = ask("operator", data, "GET", "/v1/legal-holds")["holds"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    if not found:
        typer.echo("Nothing is under a hold.")
        return
    table = Table("id", "scope", "target", "since", "by", "reason")
    for row in found:
        table.add_row(row["id"], row["scope"], row["target"], row["since"], row["by"], row["reason"])
    Console().print(table)


@hold.command("place")
def place(
    scope: Annotated[Literal["person", "thread", "mailbox", "tenant"], typer.Argument(help="What is kept.")],
    target: Annotated[str, typer.Argument(help="The address, thread or mailbox; nothing for the account.")] = "",
    reason: Annotated[str, typer.Option(help="Why, e.g. the matter's number.")] = "",
    data: Data = None,
) -> None:
    """Keep data, whatever a retention clock or a person's request says, until the hold is lifted.

    Examples: gatepost hold place person ada@customer.example --reason "case 12"; gatepost hold place tenant
    """
    if (scope == "tenant") == bool(target):
        raise typer.BadParameter("a tenant has no target, and everything else has one")
    body = {"scope": scope, "target": target, "reason": reason}
    made = ask("operator", data, "POST", "/v1/legal-holds", body)
    typer.echo(f"{made['id']}: {made['scope']} {made['target'] or 'of the whole account'} is kept until it is lifted.")


@hold.command("lift")
def lift(hold_id: Annotated[str, typer.Argument(help="hld_..., see gatepost hold list")], data: Data = None) -> None:
    """End a hold: the clocks and the requests go on.

    Example: gatepost hold lift hld_01JD0000000000000000000000
    """
    ask("operator", data, "DELETE", f"/v1/legal-holds/{quote(hold_id, safe='')}")
    typer.echo("lifted")
