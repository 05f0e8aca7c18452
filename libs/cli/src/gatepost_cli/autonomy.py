"""How far agents may go: `gatepost mode`, `upgrade`, `category`, `allow`, and what to look at first: `evidence`, `dry-run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from gatepost_cli.connect import ask
from gatepost_cli.saying import AsJson, say

upgrade = typer.Typer(
    help="Ask for a looser mode, and redeem the code that the oversight address got.", no_args_is_help=True
)
category = typer.Typer(
    help="Categories of mail: which mail is of one, and how far its answers may go.", no_args_is_help=True
)
allow = typer.Typer(help="Recipients to whom mail goes its own way.", no_args_is_help=True)
console = Console(highlight=False)

Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
Box = Annotated[str, typer.Argument(help="A mailbox, by id or address.")]
Mode = Annotated[str | None, typer.Option(help="gated_all, gated_send, monitored or autonomous.")]
Covers = Annotated[bool, typer.Option("--covers-ask", help="A caller's own gated_send does not tighten below it.")]
Words = Annotated[list[str] | None, typer.Option(help="One of these in subject or text; repeatable.")]
Plus = Annotated[str | None, typer.Option(help="The tag of a plus-address: `orders` for us+orders@...")]
Domain = Annotated[str | None, typer.Option(help="Domain of the sender, proven by a DMARC pass.")]
Tag = Annotated[str | None, typer.Option(help="A tag that a person set: `key` or `key=value`.")]
Bare = Annotated[bool, typer.Option("--no-attachment", help="It carries no attachment.")]
Priority = Annotated[int | None, typer.Option(help="Rules of a higher priority are tried first.")]


def _of(mailbox: str) -> str:
    return f"/v1/mailboxes/{quote(mailbox, safe='@')}"


# -- the mailbox itself --------------------------------------------------------------------------------------------


def mode(
    mailbox: Box, to: Annotated[str | None, typer.Argument(help="The new mode; none: show it.")] = None,
    ceiling: Annotated[str | None, typer.Option(help="Nothing in this mailbox is ever looser.")] = None,
    covers_ask: Covers = False,
    two_person: Annotated[bool | None, typer.Option(help="Two different people approve, or one.")] = None, data: Data = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show or set how far a mailbox may go by itself, as an operator.

    Examples: gatepost mode support@demo.test; gatepost mode support@demo.test monitored --ceiling monitored
    """
    change = {"oversight_mode": to, "ceiling": ceiling, "covers_ask": covers_ask or None, "two_person": two_person}
    if any(value is not None for value in change.values()):
        view = ask("operator", data, "PATCH", _of(mailbox), change)
    else:
        view = ask("operator", data, "GET", _of(mailbox))
    covered = ", covers asks" if view["covers_ask"] else ""
    people = ", two people approve" if view["two_person"] else ""
    line = f"{view['address']}: {view['oversight_mode']} (ceiling {view['ceiling']}{covered}{people})"
    say(view, line, as_json=as_json)


@upgrade.command("request")
def request(
    mailbox: Box, to: Annotated[str, typer.Argument(help="The mode that is asked for.")],
    key: Annotated[str, typer.Option(help="Which key of the local installation to use.")] = "agent", data: Data = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Ask for a looser mode. A code goes to the oversight address; nothing changes.

    Example: gatepost upgrade request support@demo.test monitored
    """
    made = ask(key, data, "POST", f"{_of(mailbox)}/request-upgrade", {"target_mode": to})
    line = f"{made['id']}: a code went to {made['sent_to']}; it is good until {made['expires_at']}."
    say(made, line, as_json=as_json)


@upgrade.command("redeem")
def redeem(
    mailbox: Box,
    code: Annotated[str, typer.Argument(help="As it was mailed.")],
    covers_ask: Covers = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Redeem the code, as an operator. Look at `gatepost evidence` first.

    Example: gatepost upgrade redeem support@demo.test 7K2M-99QD-4TXA
    """
    done = ask("operator", data, "POST", f"{_of(mailbox)}/upgrade", {"code": code, "covers_ask": covers_ask})
    say(done, f"{mailbox} is {done['oversight_mode']} now.", as_json=as_json)


# -- what to look at first -----------------------------------------------------------------------------------------


def evidence(mailbox: Box, data: Data = None, as_json: AsJson = False) -> None:
    """What people's reviews prove of each category, at 95 %, and how many more clean reviews are needed.

    Example: gatepost evidence support@demo.test
    """
    found = ask("reviewer", data, "GET", f"{_of(mailbox)}/evidence")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("category", "reviewed", "clean", "at least clean", "for 95 %", "for 98 %", "for 99 %")
    for item in (*found["categories"], found["mailbox"] | {"category": "(all)"}):
        needed = item["reviews_still_needed"]
        table.add_row(
            item["category"] or "(no rule)", str(item["reviewed"]), str(item["approved_clean"]), f"{item['lower_bound']:.1%}",
            *(f"{needed[name]} more" if needed.get(name) else "reached" if needed else "-" for name in ("95%", "98%", "99%")),
        )  # fmt: skip
    console.print(table)
    for author, asks in found["asks"].items():
        told = ", ".join(f"{count} times {word}" for word, count in asks.items())
        console.print(f"{author} asked for: {told}")


def dry_run(
    mailbox: Box, to: Annotated[str | None, typer.Option("--mode", help="The mailbox's mode.")] = None,
    ceiling: Annotated[str | None, typer.Option(help="The mailbox's ceiling.")] = None,
    name: Annotated[str | None, typer.Option("--category", help="A category, as it would be.")] = None,
    category_mode: Mode = None, word: Words = None, plus_address: Plus = None, sender_domain: Domain = None, tag: Tag = None,
    no_attachment: Bare = False, priority: Priority = None, covers_ask: Covers = False,
    two_person: Annotated[bool | None, typer.Option(help="Two people approve.")] = None,
    days: Annotated[int, typer.Option(help="How far back.", min=1, max=365)] = 30, data: Data = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """What another policy would have done with the past days. Nothing is changed.

    Examples: gatepost dry-run support@demo.test --mode monitored;
    gatepost dry-run support@demo.test --category parcels --word parcel --category-mode monitored
    """
    conditions = _conditions(word, plus_address, sender_domain, tag, no_attachment=no_attachment)
    proposal: dict[str, Any] = {"oversight_mode": to, "ceiling": ceiling, "days": days, "two_person": two_person}
    if name is not None:
        told: dict[str, Any] = {"name": name, "covers_ask": covers_ask}
        told |= {"conditions": conditions} if conditions else {}
        told |= {"oversight_mode": category_mode} if category_mode else {}
        told |= {"priority": priority} if priority is not None else {}
        proposal["categories"] = [told]
    elif covers_ask:
        proposal["covers_ask"] = True
    found = ask("reviewer", data, "POST", f"{_of(mailbox)}/dry-run", proposal)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    verdicts = ", ".join(f"{count} {word}" for word, count in found["verdicts"].items()) or "none"
    console.print(f"Of {found['judged']} drafts in {days} days: {verdicts}.")
    for became, count in found["newly_released"].items():
        console.print(f"  newly released: {count} that people had {became}" if became in {"approved", "edited", "rejected"}
                      else f"  newly released: {count} that are {became}")  # fmt: skip
    if found["newly_held"]:
        console.print(f"  newly held: {found['newly_held']}")
    if found["sampled"]:
        console.print(f"  held all the same by the lasting sample: about {found['sampled']}")
    if found["second_approvals"]:
        console.print(f"  approvals that would have wanted a second person: {found['second_approvals']}")
    for example in found["examples"]:
        console.print(f"  {example['message_id']}: {example['now']} -> {example['proposed']} ({example['became']})")
    console.print(found["note"])


# -- categories ----------------------------------------------------------------------------------------------------


@category.command("list")
def list_categories(mailbox: Box, data: Data = None, as_json: AsJson = False) -> None:
    """The categories of a mailbox, the first tried first.

    Example: gatepost category list support@demo.test
    """
    found = ask("operator", data, "GET", f"{_of(mailbox)}/categories")["categories"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("name", "priority", "conditions", "mode", "covers asks", "revision", "at least clean")
    for item in found:
        proven = item["evidence"]
        table.add_row(
            item["name"], str(item["priority"]), json.dumps(item["conditions"] or {}), item["oversight_mode"] or "the mailbox's",
            "yes" if item["covers_ask"] else "no", str(item["revision"]), f"{proven['lower_bound']:.1%}" if proven else "-",
        )  # fmt: skip
    console.print(table)


@category.command("set")
def set_category(
    mailbox: Box, name: Annotated[str, typer.Argument(help="Its name.")], mode: Mode = None, word: Words = None,
    plus_address: Plus = None, sender_domain: Domain = None, tag: Tag = None, no_attachment: Bare = False,
    priority: Priority = None, covers_ask: Covers = False, data: Data = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Set which mail is of a category (all conditions hold), how far its answers may go, or both; as an operator.

    Try `gatepost dry-run` with the same options first.

    Example: gatepost category set support@demo.test parcels --word parcel --word delivery --mode monitored
    """
    body: dict[str, Any] = {}
    if conditions := _conditions(word, plus_address, sender_domain, tag, no_attachment=no_attachment):
        body["conditions"] = conditions
    if priority is not None:
        body["priority"] = priority
    if mode is not None:
        body |= {"oversight_mode": mode, "covers_ask": covers_ask}
    view = ask("operator", data, "PUT", f"{_of(mailbox)}/categories/{quote(name, safe='')}", body)
    line = f"{view['name']}: {view['oversight_mode'] or 'as the mailbox'}, {json.dumps(view['conditions'] or {})}"
    say(view, line, as_json=as_json)


@category.command("end")
def end_category(
    mailbox: Box, name: Annotated[str, typer.Argument(help="Its name.")], data: Data = None, as_json: AsJson = False
) -> None:
    """End a category: no mail is of it any more, and its mode is gone.

    Example: gatepost category end support@demo.test parcels
    """
    done = ask("operator", data, "DELETE", f"{_of(mailbox)}/categories/{quote(name, safe='')}")
    say(done, "ended", as_json=as_json)


def _conditions(
    words: list[str] | None, plus: str | None, domain: str | None, tag: str | None, *, no_attachment: bool
) -> dict[str, Any]:
    given = {
        "words": words,
        "plus_address": plus,
        "sender_domain": domain,
        "tag": tag,
        "no_attachment": no_attachment or None,
    }
    return {name: value for name, value in given.items() if value}


# -- listed recipients ---------------------------------------------------------------------------------------------


@allow.command("list")
def list_allowed(mailbox: Box, data: Data = None, as_json: AsJson = False) -> None:
    """The listed recipients of a mailbox.

    Example: gatepost allow list support@demo.test
    """
    found = ask("operator", data, "GET", f"{_of(mailbox)}/allowlist")["entries"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("pattern", "mode", "covers asks", "in force", "by")
    for item in found:
        table.add_row(
            item["pattern"], item["oversight_mode"], "yes" if item["covers_ask"] else "no",
            "yes" if item["effective"] else "no, the ceiling forbids it", item["created_by"] or "",
        )  # fmt: skip
    console.print(table)


@allow.command("add")
def add_allowed(
    mailbox: Box, pattern: Annotated[str, typer.Argument(help="a@b.example, or *@b.example")], mode: Mode = None,
    covers_ask: Covers = False, data: Data = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Let mail whose recipients are all listed go its own way; as an operator. What is always held stays held.

    Example: gatepost allow add support@demo.test '*@partner.example'
    """
    body = {"pattern": pattern, "oversight_mode": mode, "covers_ask": covers_ask}
    view = ask("operator", data, "POST", f"{_of(mailbox)}/allowlist", body)
    say(view, f"{view['pattern']}: {view['oversight_mode']}", as_json=as_json)


@allow.command("ask")
def ask_allowed(
    mailbox: Box, pattern: Annotated[str, typer.Argument(help="a@b.example, or *@b.example")], mode: Mode = None,
    data: Data = None,
) -> None:  # fmt: skip
    """Ask, as the agent, that mail to a recipient may go its own way: a code goes to the oversight address.

    An operator redeems it with `gatepost upgrade redeem`.

    Example: gatepost allow ask support@demo.test '*@partner.example'
    """
    body = {"pattern": pattern, "oversight_mode": mode}
    told = ask("agent", data, "POST", f"{_of(mailbox)}/allowlist", body)
    typer.echo(f"A code for {told['pattern']} went to {told['sent_to']}; an operator redeems it.")


@allow.command("remove")
def remove_allowed(
    mailbox: Box,
    pattern: Annotated[str, typer.Argument(help="As it is listed.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Take a recipient off the list.

    Example: gatepost allow remove support@demo.test '*@partner.example'
    """
    done = ask("operator", data, "DELETE", f"{_of(mailbox)}/allowlist/{quote(pattern, safe='@*')}")
    say(done, "removed", as_json=as_json)
