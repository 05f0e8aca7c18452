"""500 random attacks on an exported log, each of which the stand-alone verifier must find with one saved checkpoint."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_contracts.canonical import canonical
from gatepost_store.audit import verify_audit
from gatepost_store.audit.export import whole_log
from gatepost_store.audit.note import checkpoint_text, sign_note
from gatepost_store.audit.sequencer import Sequencer
from gatepost_store.audit.tree import Frontier, leaf_hash
from gatepost_store.audit.verify_audit import Unproven, verify
from support.audit_log import fill

KEY = Ed25519PrivateKey.generate()
ROUNDS = 100


class Exported:
    """The log as a third party has it, the checkpoint it kept, and what an operator with the key could do."""

    def __init__(self, content: bytes, saved: str, vkey: str) -> None:
        self.content, self.saved, self.vkey = content, saved, vkey
        self.lines = content[:-1].split(b"\n")

    def records(self) -> list[int]:
        """The lines that hold records."""
        return [n for n, line in enumerate(self.lines) if line.startswith(b'{"actor"')]

    def rebuilt(self, lines: list[bytes]) -> bytes:
        """The lines with every checkpoint signed anew over what now stands before it, and a head that fits."""
        origin, frontier, made = json.loads(lines[0])["origin"], Frontier(), []
        for line in lines[1:]:
            if line.startswith(b'{"checkpoint"'):
                text = checkpoint_text(origin, frontier.size, frontier.root(), ("policy x",))
                made.append(canonical({"checkpoint": sign_note(text, origin, KEY)}).encode())
                continue
            made.append(line)
            if line.startswith(b'{"actor"'):
                frontier.extend([leaf_hash(line)])
        head = json.loads(lines[0])
        head |= {"records": frontier.size, "checkpoints": sum(line.startswith(b'{"checkpoint"') for line in made)}
        return b"\n".join([canonical(head).encode(), *made]) + b"\n"


@pytest.fixture
async def exported(world: Any) -> Exported:
    store = await world.store("gatekeeper")
    sequencer = Sequencer(store, KEY, "gate.test", batch=40, checkpoint_s=0)
    await fill(world, mails=21)
    while (placed := await sequencer.place()) and placed.records:
        saved = placed.checkpoint
    content = "".join([line + "\n" async for line in whole_log(store.reading)]).encode()
    vkey = (await store.reading.fetchrow("SELECT vkey FROM audit_tree"))["vkey"]
    return Exported(content, saved or "", vkey)


def one_byte(log: Exported, chance: random.Random) -> bytes:
    at = chance.randrange(len(log.content))
    return log.content[:at] + bytes([log.content[at] ^ 1 << chance.randrange(8)]) + log.content[at + 1 :]


def row_removed(log: Exported, chance: random.Random) -> bytes:
    at = chance.randrange(len(log.lines))
    return b"\n".join(log.lines[:at] + log.lines[at + 1 :]) + b"\n"


def swapped(log: Exported, chance: random.Random) -> bytes:
    a, b = chance.sample(range(len(log.lines)), 2)
    lines = [*log.lines]
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines) + b"\n"


def inserted(log: Exported, chance: random.Random) -> bytes:
    """A line of its own repeated, or a new record that follows its mail's last."""
    lines, at = [*log.lines], chance.randrange(len(log.lines) + 1)
    record = json.loads(lines[chance.choice(log.records())])
    record |= {"seq": record["seq"] + chance.randint(0, 2), "actor": "nobody"}
    line = chance.choice([chance.choice(lines), canonical(record).encode()])
    return b"\n".join([*lines[:at], line, *lines[at:]]) + b"\n"


def truncated(log: Exported, chance: random.Random) -> bytes:
    """At any byte, at any line, or at an older checkpoint with a head that fits it."""
    match chance.randrange(3):
        case 0:
            return log.content[: chance.randrange(len(log.content))]
        case 1:
            return b"\n".join(log.lines[: chance.randrange(len(log.lines))]) + b"\n"
        case _:
            ends = [n for n, line in enumerate(log.lines[:-1]) if line.startswith(b'{"checkpoint"')]
            kept = log.lines[: chance.choice(ends) + 1]
            sizes = sum(line.startswith(b'{"actor"') for line in kept)
            head = json.loads(kept[0]) | {"records": sizes, "checkpoints": len(ends[: ends.index(len(kept) - 1) + 1])}
            return b"\n".join([canonical(head).encode(), *kept[1:]]) + b"\n"


@pytest.mark.parametrize("attack", [one_byte, row_removed, swapped, inserted, truncated])
async def test_every_attack_is_found(exported: Exported, attack: Any) -> None:
    """A hundred of each kind. The untouched log is proven, so that finding everything wrong is no way to pass."""
    chance = random.Random(f"{attack.__name__} 20261124")
    assert verify(exported.content, exported.vkey, [exported.saved])["records"]
    missed, tried = [], 0
    while tried < ROUNDS:
        changed = attack(exported, chance)
        if changed == exported.content:
            continue  # equal lines were swapped: nothing was attacked
        tried += 1
        try:
            missed.append((tried, verify(changed, exported.vkey, [exported.saved])))
        except Unproven:
            continue

    assert [] == missed


@pytest.mark.parametrize("what", ["change", "drop_last", "drop_mail", "reorder", "add"])
async def test_an_operator_who_builds_the_log_anew_is_found_by_a_checkpoint_kept(exported: Exported, what: str) -> None:
    """With the log's own key every signature is right; only what somebody kept outside tells."""
    lines, records = [*exported.lines], exported.records()
    last_of: dict[str, int] = {json.loads(lines[n])["message"]: n for n in records}
    match what:
        case "change":
            record = json.loads(lines[records[30]])
            lines[records[30]] = canonical(record | {"principal": "prn_somebody_else"}).encode()
        case "drop_last":
            del lines[last_of[json.loads(lines[records[0]])["message"]]]
        case "drop_mail":
            mail = json.loads(lines[records[0]])["message"].encode()
            lines = [line for line in lines if b'"message":"' + mail + b'"' not in line]
        case "reorder":
            a = next(n for n in records if json.loads(lines[n])["message"] != json.loads(lines[records[0]])["message"])
            lines[records[0]], lines[a] = lines[a], lines[records[0]]
            if json.loads(lines[a])["seq"] != 1 or json.loads(lines[records[0]])["seq"] != 1:
                pytest.skip("no two births stand side by side")
        case "add":
            record = json.loads(lines[last_of[json.loads(lines[records[0]])["message"]]])
            birth = json.loads(lines[records[0]]) | {"message": "msg_" + "Z" * 26, "seq": 1}
            lines.insert(records[-1], canonical(birth).encode())
            assert record
    forged = exported.rebuilt(lines)

    assert verify(forged, exported.vkey)["records"]  # convincing to somebody who kept nothing
    with pytest.raises(Unproven):
        verify(forged, exported.vkey, [exported.saved])


async def test_the_first_bad_record_is_named(exported: Exported) -> None:
    """What a record tells about itself is named at once; else the stretch between two checkpoints."""
    lines, records = [*exported.lines], exported.records()
    gone = [*lines]
    removed = next(n for n in records if json.loads(lines[n])["seq"] == 2)
    del gone[removed]
    with pytest.raises(Unproven) as caught:
        verify(b"\n".join(gone) + b"\n", exported.vkey)
    following = next(n for n in records if n > removed
                     and json.loads(lines[n])["message"] == json.loads(lines[removed])["message"])  # fmt: skip
    assert caught.value.index is not None
    assert caught.value.index <= records.index(following)

    record = json.loads(lines[records[5]]) | {"principal": "prn_other"}
    lines[records[5]] = canonical(record).encode()
    with pytest.raises(Unproven, match="records 0 to 39"):
        verify(b"\n".join(lines) + b"\n", exported.vkey)


async def test_the_verifier_needs_its_one_file(exported: Exported, tmp_path: Path) -> None:
    """Run as a third party runs it: alone in a folder, with exit codes and JSON."""
    script = tmp_path / "verify_audit.py"
    script.write_bytes(Path(verify_audit.__file__).read_bytes())
    (tmp_path / "log.jsonl").write_bytes(exported.content)
    (tmp_path / "kept.txt").write_text(exported.saved)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", str(script), *arguments, "--json"]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    good = run("log.jsonl", "--key", exported.vkey, "--saved", "kept.txt")
    assert (0, True, True) == (good.returncode, json.loads(good.stdout)["ok"], json.loads(good.stdout)["key_pinned"])
    (tmp_path / "log.jsonl").write_bytes(exported.content.replace(b"prn_ann", b"prn_bob", 1))
    bad = run("log.jsonl", "--key", exported.vkey, "--saved", "kept.txt")
    assert (1, False) == (bad.returncode, json.loads(bad.stdout)["ok"])
    assert 2 == run("missing.jsonl").returncode
