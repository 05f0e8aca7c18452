"""Is this log the one that was written? Verifies an export of Gatepost's audit log; needs Python and `cryptography`.

FILE is a whole log, a selection of it, or a receipt; where it holds contents, each is the one that a record names. KEY is
the log's verifier key, or a file that holds it; without it the key in the file is believed. SAVED is a checkpoint that you
kept: the log must go on from it. RECEIPT is one that you were given: its record must be in the log. Exit code 0: proven,
1: not, 2: wrongly called. Leaves are sha256(0x00 || record), nodes sha256(0x01 || left || right) (RFC 9162); a record is a
line of canonical JSON. Checkpoints are signed notes (c2sp.org/tlog-checkpoint, c2sp.org/signed-note) with Ed25519.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Json = dict[str, Any]
LOG, SELECTION, RECEIPT = (f"gatepost-audit-{kind}/1" for kind in ("log", "selection", "receipt"))
RECORD = {
    "actor", "at", "command", "content", "data", "delivery", "door", "emits", "event", "from", "mailbox", "message",
    "mode", "policy", "principal", "role", "row", "seq", "tenant", "thread", "to", "v",
}  # fmt: skip


class Unproven(Exception):
    """What is wrong, and at which record and line."""

    index: int | None
    line: int


def need(condition: object, what: str) -> None:
    """Unproven, unless it holds."""
    if not condition:
        raise Unproven(what)


def leaf_hash(record: bytes) -> bytes:
    """The hash of a record (RFC 9162 2.1.1)."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def canonical(value: object) -> str:
    """The one spelling of a JSON value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digests_of(record: Json) -> set[tuple[str, str]]:
    """Whose contents it names by digest."""
    named = {record["content"], *(value for name, value in record["data"].items() if name.endswith("_sha256"))}
    return {(record["message"], digest) for digest in named - {None}}


def unbase64(text: str) -> bytes:
    """Decode; a second spelling of the same bytes is refused."""
    value = base64.b64decode(text, validate=True)
    need(base64.b64encode(value).decode() == text, "base64 with stray bits")
    return value


def root_of_path(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162 2.1.3); a left subtree has the largest power of 2 that fits."""
    need(0 <= index < size and (size > 1) == bool(path), "an inclusion proof of another length")
    if size == 1:
        return leaf
    if index < (left := 1 << (size - 1).bit_length() - 1):
        return node_hash(root_of_path(index, left, leaf, path[:-1]), path[-1])
    return node_hash(path[-1], root_of_path(index - left, size - left, leaf, path[:-1]))


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Does the tree of `old` records begin that of `new` (RFC 9162 2.1.4)?"""

    def roots(old: int, new: int, path: Sequence[bytes], known: tuple[bytes, ...]) -> tuple[bytes, bytes]:
        # of a subtree's old part and of all of it; `known` while it may be the whole old tree
        if old == new:
            (one,) = *known, *path
            return one, one
        if old <= (left := 1 << (new - 1).bit_length() - 1):
            older, newer = roots(old, left, path[:-1], known)
            return older, node_hash(newer, path[-1])
        older, newer = roots(old - left, new - left, path[:-1], ())
        return node_hash(path[-1], older), node_hash(path[-1], newer)

    try:
        return not path if old == 0 else roots(old, new, path, (old_root,)) == (old_root, new_root)
    except (IndexError, ValueError):  # a proof of another length, or of other sizes
        return False


def open_note(note: str, vkey: str) -> str:
    """The text of a signed note, if the key signed it."""
    name, key_id, key = vkey.split("+", 2)
    public = unbase64(key)
    digest = hashlib.sha256(f"{name}\n".encode() + public).digest()[:4]
    need(len(public) == 33 and public[0] == 1 and key_id == digest.hex(), "not a verifier key")
    text, separator, signatures = note.rpartition("\n\n")
    need(separator and signatures.endswith("\n"), "not a signed note")
    for line in signatures[:-1].split("\n"):
        dash, signer, value = line.split(" ")
        raw = unbase64(value)
        need(dash == "—" and signer, "not a signature")
        if (signer, raw[:4]) == (name, digest):
            try:
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(raw[4:], f"{text}\n".encode())
            except InvalidSignature:
                raise Unproven("the signature is not the key's") from None
            return f"{text}\n"
    raise Unproven("the key did not sign it")


def read_checkpoint(note: str, vkey: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a signed checkpoint."""
    origin, size, root, *_ = open_note(note, vkey).split("\n")
    need(str(int(size)) == size, "a size with two spellings")
    return origin, int(size), unbase64(root)


class Export:
    """Reads a whole log or a selection line by line; raises Unproven at the first fault."""

    def __init__(self, head: Json, vkey: str | None, saved: Sequence[str]) -> None:
        self.head, self.key, self.is_whole = head, vkey or head["key"], head["format"] == LOG
        need(self.key == head["key"] and (self.is_whole or head["format"] == SELECTION), "another format or key")
        self.kept = {size: root for _, size, root in (read_checkpoint(note, self.key) for note in saved)}
        self.count, self.edge, self.sizes = 0, list[bytes](), dict[int, bytes]()
        self.tables, self.named = dict[str, Json](), set[str]()
        self.seq, self.state, self.leaves = dict[str, int](), Json(), set[bytes]()
        self.digests, self.opened = set[tuple[str, str]](), set[tuple[str, str]]()  # of each mail, mailbox or account
        self.paths, self.consistency = list[tuple[int, bytes, list[bytes]]](), dict[int, list[bytes]]()

    def line(self, said: Json) -> None:
        """Take one line."""
        if "table" in said:
            digest = hashlib.sha256(canonical(said["table"]).encode()).hexdigest()
            need(set(said) == {"table"} and not self.count and digest > max(self.tables, default=""), "a stray table")
            self.tables[digest] = {row["id"]: row for row in said["table"]["lifecycle"]}
        elif "checkpoint" in said:
            origin, size, root = read_checkpoint(said["checkpoint"], self.key)
            need(set(said) == {"checkpoint"} and origin == self.head["origin"], "a checkpoint of another log")
            newest = max(self.sizes, default=-1)
            need(size > newest and (not self.is_whole or size == self.count), "a checkpoint in the wrong place")
            need(not self.is_whole or root == self.root(), f"records {max(newest, 0)} to {size - 1} were changed")
            self.sizes[size] = root
        elif "consistency" in said:
            self.consistency[said["size"]] = [unbase64(one) for one in said["consistency"]]
        elif "opening" in said:
            self.open(**said["opening"])
        elif self.is_whole:
            node, size = self.record(said), self.count - 1
            while size & 1:
                node, size = node_hash(self.edge.pop(), node), size >> 1
            self.edge.append(node)
            is_kept = self.count not in self.kept or self.kept[self.count] == self.root()
            need(is_kept, f"a record before {self.count} is not the one that was signed")
        else:
            leaf = self.record(said["record"])
            need(not self.paths or said["index"] > self.paths[-1][0], "records out of order")
            self.paths.append((said["index"], leaf, [unbase64(one) for one in said["proof"]]))

    def open(self, of: str, *, text: str | None = None, raw: str | None = None, salt: str | None = None) -> None:
        """A text or bytes that a record of this subject names: by their digest, or by one over a salt and them."""
        need((text is None) != (raw is None), "an opening of nothing")
        content = text.encode() if text is not None else unbase64(raw or "")
        if salt is not None:
            content = f"{salt}\n{text if raw is None else hashlib.sha256(content).hexdigest()}".encode()
        digest = hashlib.sha256(content).hexdigest()
        need((of, digest) in self.digests, f"content that no record of {of} names")
        self.opened.add((of, digest))
        if text is not None and salt is None:  # a mail as it leaves: the files that it names may be opened too
            self.digests |= {(of, file["sha256"]) for file in json.loads(text)["attachments"]}

    def record(self, r: Json) -> bytes:
        """Its leaf, after it was judged by itself: the next of its mail, and an edge of the table that it names."""
        need(set(r) == RECORD and r["v"] == 1, "not a record")
        subject, before, src, dst = r["message"], self.seq.get(r["message"], 0), r["from"], r["to"]
        where = f"{subject}.{r['seq']} {r['row']}: "
        need(r["seq"] == before + 1, f"{where}follows number {before}")
        need(r["policy"] in self.tables, where + "the export lacks its table")
        row = self.tables[r["policy"]].get(r["row"], {})
        need((r["event"], r["emits"]) == (row.get("event"), row.get("emits")), where + "no such row")
        need(r["role"] in row["roles"], f"{where}not for the role {r['role']}")
        kind = row["on"]
        is_edge = {"new": src is None and before == 0, "world": True}.get(kind, src in row["src"])
        ends = {"revision": src, "world": dst}.get(kind, row["dst"])
        need(is_edge and dst == ends, f"{where}no edge from {src} to {dst}")
        need((kind == "delivery") == (r["delivery"] is not None), where + "of another thing")
        need(kind in {"world", "delivery"} or self.state.get(subject) in {None, src}, where + "not from its state")
        self.state[subject] = None if kind == "delivery" else dst  # a mail's state follows from all its deliveries
        self.seq[subject], self.count = r["seq"], self.count + 1
        self.named.add(r["policy"])
        self.digests |= digests_of(r)
        self.leaves.add(leaf := leaf_hash(canonical(r).encode()))
        return leaf

    def root(self) -> bytes:
        """Of what was read so far."""
        root = self.edge[-1] if self.edge else hashlib.sha256().digest()
        for left in self.edge[-2::-1]:
            root = node_hash(left, root)
        return root

    def close(self, receipts: Sequence[Json]) -> Json:
        """Judge the whole; what was proven."""
        size = max(self.sizes)
        root, head = self.sizes[size], self.head
        need((head["records"], head["checkpoints"]) == (self.count, len(self.sizes)), "lines are missing, or too many")
        need(self.named == set(self.tables), "a table that no record names")
        for index, leaf, path in self.paths:
            need(root_of_path(index, size, leaf, path) == root, f"record {index} is not in the tree")
        for old, old_root in self.kept.items():
            need(old <= size, f"it ends at {size}, but a checkpoint of {old} was kept")
            path = self.consistency.get(old, [])
            is_one = self.is_whole or is_consistent(old, size, old_root, root, path)
            need(is_one, f"no proof that it goes on from the checkpoint of {old} that was kept")
        given = {leaf_hash(canonical(receipt["record"]).encode()) for receipt in receipts}
        need(given <= self.leaves, "the record of a receipt is not in it")
        return {"format": head["format"], "origin": head["origin"], "key": self.key, "size": size, "root": root.hex(),
                "records": self.count, "checkpoints": len(self.sizes), "subjects": len(self.seq), "contents": len(self.opened)}  # fmt: skip


def verify_receipt(said: Json, vkey: str | None = None) -> Json:
    """Judge a receipt by itself: a signed promise, a place in a signed tree, or both."""
    key, record = vkey or said["key"], said["record"]
    leaf = leaf_hash(canonical(record).encode())
    need(said["format"] == RECEIPT and {"promise", "checkpoint"} & set(said), "not a receipt")
    if "promise" in said:
        text = f"{key.split('+')[0]}/receipt\n{record['message']} {record['seq']}\n{base64.b64encode(leaf).decode()}\n"
        need(open_note(said["promise"], key) == text, "a promise of another record")
    if "checkpoint" in said:
        _, size, root = read_checkpoint(said["checkpoint"], key)
        path = [unbase64(one) for one in said["proof"]]
        need(root_of_path(said["index"], size, leaf, path) == root, "the record is not in the tree")
    return {"format": RECEIPT, "key": key, "leaf": leaf.hex(), "index": said.get("index")}


def verify(content: bytes, vkey: str | None = None, saved: Sequence[str] = (), receipts: Sequence[Json] = ()) -> Json:
    """What was proven; raises Unproven at the first fault, whatever the bytes are."""
    export: Export | None = None
    number, said = 0, Json()
    try:
        need(content.endswith(b"\n"), "it is cut off")
        for number, raw in enumerate(content[:-1].split(b"\n"), 1):  # noqa: B007 (told below)
            said = json.loads(text := raw.decode())
            need(canonical(said) == text, "not canonical JSON")
            if export is not None:
                export.line(said)
            elif said["format"] == RECEIPT:
                return verify_receipt(said, vkey)
            else:
                export = Export(said, vkey, saved)
        need(export is not None and "checkpoint" in said, "it does not end with a checkpoint")
        return export.close(receipts) if export else {}
    except Exception as error:
        fault = error if isinstance(error, Unproven) else Unproven(f"it cannot be read ({type(error).__name__})")
        fault.line, fault.index = number, export.count if export else None
        raise fault from None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--key", help="verifier key (name+id+base64), or a file that holds it")
    parser.add_argument("--saved", type=Path, action="append", default=[], help="a checkpoint that you kept")
    parser.add_argument("--receipt", type=Path, action="append", default=[], help="a receipt that you were given")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    given = parser.parse_args(arguments)
    try:
        key = Path(given.key).read_text().strip() if given.key and Path(given.key).is_file() else given.key
        saved, receipts = [p.read_text() for p in given.saved], [json.loads(p.read_text()) for p in given.receipt]
        result = {"ok": True, **verify(given.file.read_bytes(), key, saved, receipts), "key_pinned": key is not None}
    except Unproven as fault:
        result = {"ok": False, "problem": str(fault), "index": fault.index, "line": fault.line}
    except (OSError, ValueError) as error:
        parser.exit(2, f"cannot read: {error}\n")
    words = ", ".join(f"{name} {value}" for name, value in result.items() if name != "ok")
    said = json.dumps(result) if given.json else f"{'proven' if result['ok'] else 'NOT PROVEN'}: {words}"
    sys.stdout.write(f"{said}\n")
    if result["ok"] and key is None:
        sys.stderr.write("The key came with the file: compare it with one that you got another way.\n")
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
