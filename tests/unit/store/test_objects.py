"""What was announced and never put away is forgotten, whatever the provider says of a key that is not there."""

from __future__ import annotations

from pathlib import Path

import obstore
from obstore.store import LocalStore

from gatepost_store.objects import Objects


async def test_a_key_that_never_was_keeps_no_other_from_going(tmp_path: Path) -> None:
    """A folder refuses it, as Google's and Azure's stores do; the sweep must not stand still there for ever."""
    objects = Objects("s3://bucket", {"region": "x"}, over_bytes=1, timeout_s=1)
    objects._store = LocalStore(tmp_path)
    await obstore.put_async(objects._store, "obj_there", b"x")

    await objects.delete(["obj_never", "obj_there", "obj_nor"])

    assert list(tmp_path.iterdir()) == []
