"""Who gets which key file, and what sealing keeps."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gatepost_runtime import Fatal, Keys, make_keys, seal, unseal
from gatepost_runtime.keys import HOLDERS, SERVICES


def test_each_service_gets_its_own_files_and_nothing_else(tmp_path: Path) -> None:
    """A stolen drafter can sign nothing."""
    make_keys(tmp_path)

    for service in SERVICES:
        found = {path.name for path in (tmp_path / service).iterdir()}
        assert found == {file for file, holders in HOLDERS.items() if service in holders}
    assert set() == set((tmp_path / "drafter").iterdir())


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    """0600 in 0700, whatever the umask."""
    make_keys(tmp_path / "keys")

    for path in (tmp_path / "keys").rglob("*"):
        assert (0o700 if path.is_dir() else 0o600) == stat.S_IMODE(path.stat().st_mode)


def test_making_them_again_changes_nothing_and_fills_gaps(tmp_path: Path) -> None:
    """Every start calls it; a new holder gets the key that the others have."""
    make_keys(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    (tmp_path / "api" / "token.key").unlink()
    (tmp_path / "sender" / "grant.pub").unlink()

    make_keys(tmp_path)

    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}


def test_the_pairs_belong_together(tmp_path: Path) -> None:
    """What the gatekeeper signs the sender can verify; what the api seals the notifier can open."""
    make_keys(tmp_path)
    gatekeeper, sender, api, notifier = (Keys(tmp_path / s) for s in ("gatekeeper", "sender", "api", "notifier"))

    sender.grant_public.verify(gatekeeper.grant_private.sign(b"grant"), b"grant")
    assert unseal(notifier.seal_private("notifier"), seal(api.seal_public("notifier"), b"secret")) == b"secret"
    assert sender.token == api.token
    assert len(sender.token) == 32
    assert sender.identity_private.public_key() == api.identity_public


def test_a_missing_key_says_which(tmp_path: Path) -> None:
    """And where to look; a trace of a library says neither."""
    with pytest.raises(Fatal, match=r"GATEPOST_KEYS_DIR.*grant\.key"):
        _ = Keys(tmp_path).grant_private

    with pytest.raises(Fatal, match="GATEPOST_KEYS_DIR is not set"):
        _ = Keys(None).token


OWN, OTHER = X25519PrivateKey.generate(), X25519PrivateKey.generate()


@given(st.binary(max_size=300))
def test_what_was_sealed_opens_with_its_key_alone(secret: bytes) -> None:
    """And two seals of one secret look different."""
    sealed = seal(OWN.public_key(), secret)

    assert secret == unseal(OWN, sealed)
    assert sealed != seal(OWN.public_key(), secret)
    with pytest.raises(ValueError, match="sealed"):
        unseal(OTHER, sealed)


@given(st.binary(max_size=60), st.data())
def test_a_changed_seal_does_not_open(secret: bytes, data: st.DataObject) -> None:
    """Wherever the bit was turned."""
    sealed = bytearray(seal(OWN.public_key(), secret))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(ValueError, match="sealed"):
        unseal(OWN, bytes(sealed))


@pytest.mark.parametrize("junk", [b"", b"x" * 47, b"\0" * 100])
def test_junk_does_not_open(junk: bytes) -> None:
    """A ValueError, whatever it is."""
    with pytest.raises(ValueError):
        unseal(OWN, junk)
