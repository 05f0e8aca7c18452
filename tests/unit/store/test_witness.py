"""A witness signs what goes on, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_store.audit.note import checkpoint_text, cosigned_at, sign_note, verifier_key
from gatepost_store.audit.tree import Frontier, consistency_ranges, leaf_hash, roots
from gatepost_store.audit.witness import Refused, Witness

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORIGIN = "log.test/gatepost/1"


class Log:
    """A log that could be forked."""

    def __init__(self, key: Ed25519PrivateKey, *words: str) -> None:
        self.key, self.leaves = key, [leaf_hash(word.encode()) for word in words]
        self.vkey = verifier_key(ORIGIN, key.public_key())

    def checkpoint(self, size: int) -> str:
        frontier = Frontier()
        frontier.extend(self.leaves[:size])
        return sign_note(checkpoint_text(ORIGIN, size, frontier.root()), ORIGIN, self.key)

    def proof(self, old: int, new: int) -> list[bytes]:
        return roots(consistency_ranges(old, new), {(0, n): leaf for n, leaf in enumerate(self.leaves)})


@pytest.fixture
def log() -> Log:
    return Log(Ed25519PrivateKey.generate(), *"abcdefgh")


def test_it_countersigns_a_log_that_goes_on(log: Log, tmp_path: Path) -> None:
    """Its state is a file: a new process remembers."""
    first = Witness(tmp_path, "witness.test").witness(log.checkpoint(3), log.vkey, [], NOW)
    again = Witness(tmp_path, "witness.test")
    second = again.witness(log.checkpoint(8), log.vkey, log.proof(3, 8), NOW)

    assert int(NOW.timestamp()) == cosigned_at(first, again.vkey) == cosigned_at(second, again.vkey)
    seen = again.seen(log.vkey)
    assert seen is not None
    assert (8, second) == (seen.size, seen.note)
    assert again.witness(log.checkpoint(8), log.vkey, [], NOW)  # the same again is no fork


def test_it_refuses_a_rollback(log: Log, tmp_path: Path) -> None:
    """A log never shrinks."""
    witness = Witness(tmp_path, "witness.test")
    witness.witness(log.checkpoint(8), log.vkey, [], NOW)

    with pytest.raises(Refused, match="rollback"):
        witness.witness(log.checkpoint(5), log.vkey, [], NOW)


@pytest.mark.parametrize("size", [5, 8])
def test_it_refuses_a_fork(log: Log, tmp_path: Path, size: int) -> None:
    """Another history of the same key, whether longer or of equal length, with the best proof that exists."""
    forked = Log(log.key, *"abXdefgh")
    witness = Witness(tmp_path, "witness.test")
    witness.witness(log.checkpoint(5), log.vkey, [], NOW)

    with pytest.raises(Refused, match="fork"):
        witness.witness(forked.checkpoint(size), log.vkey, forked.proof(5, size), NOW)
    seen = witness.seen(log.vkey)
    assert seen is not None
    assert 5 == seen.size


def test_it_refuses_another_key(log: Log, tmp_path: Path) -> None:
    """Who has the name has not the key."""
    other = Log(Ed25519PrivateKey.generate(), *"abc")

    with pytest.raises(Refused, match="not the log's"):
        Witness(tmp_path, "witness.test").witness(other.checkpoint(3), log.vkey, [], NOW)


def test_its_key_is_its_owner_s_alone(log: Log, tmp_path: Path) -> None:
    """Like every key file here."""
    Witness(tmp_path, "witness.test")

    assert 0o600 == (tmp_path / "witness.key").stat().st_mode & 0o777
