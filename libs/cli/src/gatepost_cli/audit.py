"""`gatepost audit`: hand the log out, verify what was handed out, and witness it from elsewhere.

Exit codes: 0 proven or done, 1 not proven or refused, 2 wrongly called or nothing there.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from gatepost_cli.connect import api, database_url
from gatepost_cli.owner import owner_store
from gatepost_store import StoreError
from gatepost_store.audit import verify_audit
from gatepost_store.audit.export import selection, whole_log
from gatepost_store.audit.proofs import Q
from gatepost_store.audit.scope import Scope, metadata_of
from gatepost_store.audit.verify_audit import Unproven, read_checkpoint, unbase64, verify
from gatepost_store.audit.witness import Refused, Witness

audit = typer.Typer(help="The log: export it, verify it, witness it.", no_args_is_help=True)
Data = Annotated[Path | None, typer.Option(help="Data folder of the running installation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
README = """What is here
  log.jsonl        the records, one on a line, as they were hashed; with tables, proofs and signed checkpoints, and, where
                   that was asked for, the contents that records name by digest (the lines that begin with "opening")
  contents/        the same contents as files: .eml came in, .json is what left or was to leave, .bin a file of it
  checkpoint.txt   the newest signed checkpoint: keep it, and give it to the verifier next time with --saved
  key.txt          the log's verifier key: compare it with one that you got another way
  verify_audit.py  the verifier: Python 3.11 and the package `cryptography`, no server

  python verify_audit.py log.jsonl --key key.txt [--saved an-older-checkpoint.txt] [--json]
"""


@audit.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write; made when it is not there.")],
    customer: Annotated[str | None, typer.Option(help="An address that wrote or was written to.")] = None,
    thread: Annotated[str | None, typer.Option(help="A thread, by our id or the caller's own.")] = None,
    agent: Annotated[str | None, typer.Option(help="A principal or key that wrote drafts.")] = None,
    tag: Annotated[str | None, typer.Option(help="A tag of the mails.")] = None,
    metadata: Annotated[list[str] | None, typer.Option(help="key=value of the mails' metadata; repeatable.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Mails with a record from then on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="And with one before then (UTC).")] = None,
    contents: Annotated[
        bool, typer.Option("--contents", help="With the mails themselves: texts, raw mails, files.")
    ] = False,
    saved: Annotated[list[Path] | None, typer.Option(help="Checkpoints kept: adds proofs that it goes on.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write the log, or what concerns somebody, with everything that is needed to verify it.

    With --contents each content stands beside the log, and in the log so that the verifier holds it against its record:
    what a retention rule (FINRA, HIPAA: by agent, by time) or a person's access request (GDPR: by customer) asks for.

    Examples: gatepost audit export ./log; gatepost audit export ./ada --customer ada@customer.example --contents;
    gatepost audit export ./q3 --agent prn_support --since 2026-07-01 --until 2026-10-01 --contents
    """
    try:
        scope = Scope(
            customer=customer, thread=thread, agent=agent, tag=tag, metadata=metadata_of(metadata or []),
            since=_utc(since), until=_utc(until),
        )  # fmt: skip
        written = _export(database_url(data), folder, scope, saved or [], with_contents=contents)
    except (OSError, StoreError, Unproven, ValueError) as error:
        _say({"ok": False, "problem": str(error)}, str(error), as_json=as_json)
        raise typer.Exit(2) from None
    words = f"{written['records']} records of {written['size']} and {written['contents']} contents in {folder}"
    _say(written, words, as_json=as_json)


def _export(url: str, folder: Path, scope: Scope, saved: list[Path], *, with_contents: bool) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    notes = [path.read_text("utf-8") for path in saved]
    with (folder / "log.jsonl").open("w", encoding="utf-8", newline="\n") as out:
        keep = _Contents(folder / "contents")
        vkey, first, last = asyncio.run(_write_lines(url, scope, notes, out, keep if with_contents else None))
    note = json.loads(last)["checkpoint"]
    (folder / "checkpoint.txt").write_text(note, "utf-8", newline="\n")
    (folder / "key.txt").write_text(vkey + "\n", "utf-8", newline="\n")
    (folder / "verify_audit.py").write_bytes(Path(verify_audit.__file__).read_bytes())
    (folder / "README.txt").write_text(README, "utf-8")
    size, records = read_checkpoint(note, vkey)[1], json.loads(first)["records"]
    return {"ok": True, "folder": str(folder), "records": records, "size": size, "key": vkey, "contents": keep.count}


class _Contents:
    """Each content as a file that people open: .eml came in, .json leaves (the text that was approved), .txt are words."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.count = folder, 0

    def take(self, line: str) -> None:
        """Write the content of the line, if it has one."""
        if not line.startswith('{"opening"'):
            return
        said = json.loads(line)["opening"]
        content = said["text"].encode() if "text" in said else unbase64(said["raw"])
        kind = ("txt" if "salt" in said else "json") if "text" in said else ("eml" if "salt" in said else "bin")
        self._folder.mkdir(exist_ok=True)
        self.count += 1
        (self._folder / f"{said['of']}.{self.count}.{kind}").write_bytes(content)


async def _write_lines(
    url: str, scope: Scope, saved: list[str], out: TextIO, contents: _Contents | None
) -> tuple[str, str, str]:
    """The log's key, and the first and last line of what was written."""
    async with owner_store(url) as store:
        reader = store.reading
        lines = whole_log(reader, with_contents=contents is not None)
        vkey = await reader.fetchval(Q["vkey"])
        if not scope.is_everything:
            kept = [read_checkpoint(note, vkey)[1] for note in saved]
            lines = selection(
                reader, await scope.subjects(reader), scope.said(), since=kept, with_contents=contents is not None
            )
        first = last = ""
        async for line in lines:
            first, last = first or line, line
            out.write(line + "\n")
            if contents is not None:
                contents.take(line)
    return vkey, first, last


@audit.command("verify")
def verify_(
    file: Annotated[Path | None, typer.Argument(help="An export; else the running installation's log.")] = None,
    key: Annotated[str | None, typer.Option(help="The verifier key, or a file that holds it.")] = None,
    saved: Annotated[list[Path] | None, typer.Option(help="A checkpoint that you kept; repeatable.")] = None,
    receipt: Annotated[list[Path] | None, typer.Option(help="A receipt that you were given; repeatable.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Prove a log, a selection of it or a receipt, or say what is wrong. The export's verify_audit.py does the same.

    Examples: gatepost audit verify; gatepost audit verify log/log.jsonl --key log/key.txt --saved kept.txt
    """
    try:
        pinned = Path(key).read_text("utf-8").strip() if key and Path(key).is_file() else key
        kept = [path.read_text("utf-8") for path in saved or []]
        given = [json.loads(path.read_text("utf-8")) for path in receipt or []]
        content = asyncio.run(_whole(database_url(data))) if file is None else file.read_bytes()
    except (OSError, StoreError, ValueError) as error:
        _say({"ok": False, "problem": str(error)}, str(error), as_json=as_json)
        raise typer.Exit(2) from None
    try:
        result = {"ok": True, **verify(content, pinned, kept, given), "key_pinned": pinned is not None}
    except Unproven as fault:
        found = {"ok": False, "problem": str(fault), "index": fault.index, "line": fault.line}
        _say(found, f"NOT PROVEN: {fault} (record {fault.index}, line {fault.line})", as_json=as_json)
        raise typer.Exit(1) from None
    words = ", ".join(f"{name} {value}" for name, value in result.items() if name != "ok")
    _say(result, f"proven: {words}", as_json=as_json)


async def _whole(url: str) -> bytes:
    async with owner_store(url) as store:
        return "".join([line + "\n" async for line in whole_log(store.reading)]).encode()


@audit.command("witness")
def witness(
    folder: Annotated[Path, typer.Argument(help="Where the witness keeps its key and what it has seen.")],
    name: Annotated[str, typer.Option(help="The witness's name, as its signatures show it.")] = "witness.local",
    log: Annotated[Path | None, typer.Option(help="Take an export's log.jsonl instead of asking the API.")] = None,
    key: Annotated[str | None, typer.Option(help="The log's verifier key; else the one seen first is kept.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Countersign the newest checkpoint, and refuse a log that does not go on from the one seen before.

    Run it by a timer on another machine, with GATEPOST_URL and a read key in GATEPOST_API_KEY.

    Examples: gatepost audit witness ./seen; gatepost audit witness ./seen --log export/log.jsonl
    """
    try:
        keeper = Witness(folder, name)
        pinned = _pinned(folder, key)
        note, vkey, path = _from_file(keeper, log, pinned) if log else _from_api(keeper, data, pinned)
        signed = keeper.witness(note, vkey, path, datetime.now(UTC))
        (folder / "log.key").write_text(vkey + "\n", "utf-8")
    except (Refused, Unproven) as refusal:
        _say({"ok": False, "problem": str(refusal)}, f"REFUSED: {refusal}", as_json=as_json)
        raise typer.Exit(1) from None
    except (OSError, ValueError) as error:
        _say({"ok": False, "problem": str(error)}, str(error), as_json=as_json)
        raise typer.Exit(2) from None
    size = read_checkpoint(signed, vkey)[1]
    told = {"ok": True, "size": size, "origin": vkey.split("+")[0], "witness": keeper.vkey, "checkpoint": signed}
    _say(told, f"signed at {size} records\n{signed}", as_json=as_json)


def _pinned(folder: Path, key: str | None) -> str | None:
    """The key given, else the one this folder has seen: a log that changes its key is another log."""
    kept = folder / "log.key"
    if key is not None:
        return Path(key).read_text("utf-8").strip() if Path(key).is_file() else key
    return kept.read_text("utf-8").strip() if kept.exists() else None


def _from_api(keeper: Witness, data: Path | None, pinned: str | None) -> tuple[str, str, list[bytes]]:
    with api("operator", data) as client:
        newest = client.audit_checkpoint()
        vkey = pinned or newest["key"]
        if newest["key"] != vkey:
            raise Refused("the log has another key than before")
        seen = keeper.seen(vkey)
        if seen is None or seen.size > newest["size"]:
            return newest["checkpoint"], vkey, []
        proven = client.audit_checkpoint(since=seen.size)
    return proven["checkpoint"], vkey, [unbase64(one) for one in proven["consistency"]]


def _from_file(keeper: Witness, log: Path, pinned: str | None) -> tuple[str, str, None]:
    """A whole log is read from its beginning, so it proves by itself that it goes on."""
    content = log.read_bytes()
    head, last = (json.loads(line) for line in (content.split(b"\n", 1)[0], content.rstrip(b"\n").rsplit(b"\n", 1)[1]))
    vkey, note = pinned or head["key"], last.get("checkpoint", "")
    seen = keeper.seen(vkey)
    verify(content, vkey, [seen.note] if seen else [])
    return note, vkey, None


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _say(told: dict[str, Any], words: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(told) if as_json else words)
