"""The tree, its proofs and its notes: against known answers, an independent reading of RFC 9162, and forgeries."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_store.audit.note import (
    checkpoint_text,
    cosign,
    cosigned_at,
    receipt_text,
    sign_note,
    verifier_key,
    witness_key,
)
from gatepost_store.audit.tree import (
    EMPTY,
    Frontier,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    roots,
    stored,
)
from gatepost_store.audit.verify_audit import Unproven, is_consistent, open_note, read_checkpoint, root_of_path

KNOWN_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
KNOWN_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The eight leaves and the roots that Certificate Transparency implementations test with."""


def root(leaves: list[bytes]) -> bytes:
    """RFC 9162 2.1.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162 2.1.3.1, word by word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), root(leaves[k:])]
    return [*path(m - k, leaves[k:]), root(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """RFC 9162 2.1.4.1, word by word."""
    if m == len(leaves):
        return [] if whole else [root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), root(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), root(leaves[:k])]


class Stored:
    """What the database keeps: the leaves and every eighth level."""

    def __init__(self, count: int) -> None:
        self.leaves = [leaf_hash(n.to_bytes(4, "big")) for n in range(count)]
        self.frontier = Frontier()
        nodes = self.frontier.extend(self.leaves)
        self.hashes = {(0, n): leaf for n, leaf in enumerate(self.leaves)} | {(lv, n): h for lv, n, h in nodes}

    def proof(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        needed = {(level, n) for level, first, last in stored(ranges) for n in range(first, last)}
        return roots(ranges, {place: self.hashes[place] for place in needed})


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_the_known_ones(size: int) -> None:
    """Anybody's verifier of RFC 6962 trees computes the same."""
    frontier = Frontier()
    frontier.extend([leaf_hash(bytes.fromhex(leaf)) for leaf in KNOWN_LEAVES[:size]])

    assert KNOWN_ROOTS[size] == frontier.root().hex()


def test_every_proof_up_to_66_leaves_is_the_rfc_s_and_verifies() -> None:
    """Exhaustively, so that no odd shape is left out."""
    whole = Stored(66)
    for size in range(1, 67):
        leaves = whole.leaves[:size]
        top = root(leaves)
        for index in range(size):
            proof = whole.proof(inclusion_ranges(index, size))
            assert path(index, leaves) == proof
            assert top == root_of_path(index, size, leaves[index], proof)
        for old in range(size + 1):
            proof = whole.proof(consistency_ranges(old, size))
            assert (subproof(old, leaves, True) if old else []) == proof
            assert is_consistent(old, size, root(leaves[:old]), top, proof)


@pytest.mark.parametrize("size", [255, 256, 257, 1000, 65_537])
def test_large_trees_prove_out_of_few_stored_hashes(size: int) -> None:
    """Cost does not grow with the log: some hundred hashes are read for a proof, and nothing is read again to append."""
    tree = Stored(size)
    top = tree.frontier.root()
    for index in {0, 1, size // 2, size - 2, size - 1}:
        ranges = inclusion_ranges(index, size)
        assert top == root_of_path(index, size, tree.leaves[index], tree.proof(ranges))
        assert sum(last - first for _, first, last in stored(ranges)) <= 3 * 255
    for old in {1, 128, 256, size // 3, size - 1} & set(range(size)):
        small = Frontier()
        small.extend(tree.leaves[:old])
        assert is_consistent(old, size, small.root(), top, tree.proof(consistency_ranges(old, size)))


@given(st.integers(2, 300), st.data())
@settings(max_examples=60, deadline=None)
def test_a_forged_proof_proves_nothing(size: int, data: st.DataObject) -> None:
    """Another leaf, place, size, hash, order or length leads to another root."""
    tree = Stored(size)
    index = data.draw(st.integers(0, size - 1))
    proof, leaf, top = tree.proof(inclusion_ranges(index, size)), tree.leaves[index], tree.frontier.root()
    at = data.draw(st.integers(0, len(proof) - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
    forgeries = [
        (index, size, tree.leaves[other], proof),
        (other, size, leaf, proof),
        (index, size, leaf, proof[:at] + proof[at + 1 :]),
        (index, size, leaf, [*proof, proof[at]]),
        (index, size, leaf, [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]),
    ]
    for forged in forgeries:
        try:
            assert top != root_of_path(*forged)
        except Unproven:
            continue


def test_a_fork_is_not_consistent() -> None:
    """Whoever kept a checkpoint sees that another record stands before it."""
    true, forked = Stored(200), Stored(200)
    forked.leaves[17] = leaf_hash(b"another")
    forked = type(forked).__new__(type(forked))
    forked.leaves = [*true.leaves]
    forked.leaves[17] = leaf_hash(b"another")
    forked.frontier = Frontier()
    forked.hashes = {(0, n): leaf for n, leaf in enumerate(forked.leaves)}
    forked.hashes |= {(lv, n): h for lv, n, h in forked.frontier.extend(forked.leaves)}
    for old in range(18, 200):
        proof = forked.proof(consistency_ranges(old, 200))
        assert not is_consistent(old, 200, root(true.leaves[:old]), forked.frontier.root(), proof)


def test_the_frontier_survives_its_row() -> None:
    """What a restart continues from is what was written; anything else is refused."""
    frontier = Frontier()
    for n in range(300):
        again = Frontier.of(frontier.size, frontier.to_bytes())
        assert frontier.root() == again.root()
        frontier.extend([leaf_hash(bytes([n % 256]))])

    with pytest.raises(ValueError, match="frontier"):
        Frontier.of(3, frontier.to_bytes()[:32])
    assert EMPTY == Frontier().root()


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def test_a_checkpoint_is_signed_as_c2sp_says() -> None:
    """Three lines and ours, an empty line, an em dash, the name, key id and signature in base64."""
    note = sign_note(checkpoint_text("log.test/gatepost/1", 5, bytes(32), ("policy x",)), "log.test/gatepost/1", KEY)
    vkey = verifier_key("log.test/gatepost/1", KEY.public_key())

    assert (
        "log.test/gatepost/1\n5\n" + "A" * 43 + "=\npolicy x\n\n— log.test/gatepost/1 " == note[: note.index("— ") + 22]
    )
    assert ("log.test/gatepost/1", 5, bytes(32)) == read_checkpoint(note, vkey)


def test_no_byte_of_a_note_can_be_changed() -> None:
    """Base64's unused bits included."""
    note = sign_note(checkpoint_text("log.test/l", 5, bytes(32)), "log.test/l", KEY)
    vkey = verifier_key("log.test/l", KEY.public_key())
    raw = note.encode()
    for at in range(len(raw)):
        for flip in (1, 2, 4, 32, 128):
            changed = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
            with pytest.raises((Unproven, ValueError)):
                read_checkpoint(changed.decode(), vkey)


def test_a_receipt_is_no_checkpoint() -> None:
    """One key signs both, so neither may be read as the other."""
    note = sign_note(receipt_text("log.test/l", "msg_1", 3, bytes(32)), "log.test/l", KEY)

    assert open_note(note, verifier_key("log.test/l", KEY.public_key())).startswith("log.test/l/receipt\n")
    with pytest.raises(ValueError, match="msg_1"):
        read_checkpoint(note, verifier_key("log.test/l", KEY.public_key()))


def test_a_witness_s_signature_covers_note_and_time() -> None:
    """It stands beside the log's, and the log's still verifies."""
    note = sign_note(checkpoint_text("log.test/l", 5, bytes(32)), "log.test/l", KEY)
    witness = Ed25519PrivateKey.generate()
    at = datetime(2026, 11, 24, tzinfo=UTC)
    both = cosign(note, "witness.test", witness, at)
    vkey = witness_key("witness.test", witness.public_key())

    assert int(at.timestamp()) == cosigned_at(both, vkey)
    assert cosigned_at(both.replace("\n5\n", "\n6\n"), vkey) is None
    assert 5 == read_checkpoint(both, verifier_key("log.test/l", KEY.public_key()))[1]


def test_random_batches_leave_the_same_tree() -> None:
    """How records are grouped into commits changes nothing."""
    chance = random.Random(6962)
    leaves = [leaf_hash(n.to_bytes(4, "big")) for n in range(700)]
    frontier, at, nodes = Frontier(), 0, {}
    while at < len(leaves):
        count = chance.randint(1, 40)
        nodes |= {(lv, n): h for lv, n, h in frontier.extend(leaves[at : at + count])}
        at += count

    assert root(leaves) == frontier.root()
    assert {(8, 0): root(leaves[:256]), (8, 1): root(leaves[256:512])} == nodes
