"""Large contents in an object store (S3 and its like, Google Cloud Storage, Azure) instead of Postgres.

Each stands under a key of its own. The key is announced in `object_left` before its bytes are put, and taken out by the
transaction whose row names it; a trigger puts it back when that row goes. So what a crash, a repeat or an erasure leaves is
always found there, and `sweep` deletes it. Bytes that come back are held against the digest of their row.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gatepost_contracts.ids import new_id
from gatepost_store.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from gatepost_store.settings import StoreSettings
    from gatepost_store.store import Store

ANNOUNCE = "INSERT INTO object_left (key, due_at) SELECT unnest($1::text[]), now() + interval '1 hour'"
DUE = "SELECT key FROM object_left WHERE due_at < now() ORDER BY due_at LIMIT 500"
GONE = "DELETE FROM object_left WHERE key = ANY ($1::text[])"
SCHEMES = ("s3://", "s3a://", "gs://", "az://", "azure://", "abfs://", "abfss://")


class Objects:
    """The object store of an installation."""

    def __init__(self, url: str, options: Mapping[str, Any], *, over_bytes: int, timeout_s: float) -> None:
        """`options` are the provider's own, e.g. endpoint, region, access_key_id. Raises StoreError for a URL that is none."""
        from obstore.store import from_url

        if not url.startswith(SCHEMES):
            raise StoreError(f"an object store has a URL like s3://bucket/prefix, not {url.partition(':')[0]}:")
        is_plain = str(options.get("endpoint", "")).startswith("http://")
        self.over_bytes = over_bytes
        try:
            self._store = from_url(
                url, config=dict(options), client_options={"timeout": f"{timeout_s}s", "allow_http": is_plain},
                retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=timeout_s)},
            )  # type: ignore[call-overload]  # fmt: skip
        except Exception as error:
            raise StoreError(f"the object store's settings are wrong: {error}") from None

    @classmethod
    def of(cls, settings: StoreSettings) -> Objects | None:
        """As it is set; None where all contents stand in Postgres."""
        if settings.objects_url is None:
            return None
        options = json.loads(settings.objects_options_text() or "{}")
        return cls(settings.objects_url, options, over_bytes=settings.objects_over_bytes, timeout_s=settings.objects_timeout_s)  # fmt: skip

    async def put(self, key: str, content: bytes) -> None:
        """Store it; returns when the provider says that it is kept."""
        import obstore

        async with _as_unavailable():
            await obstore.put_async(self._store, key, content, use_multipart=False)

    async def get(self, key: str, sha256: str) -> bytes:
        """What was put there. Raises StoreError where it is not what the row says."""
        import obstore

        async with _as_unavailable():
            answer = await obstore.get_async(self._store, key)
            content = bytes(await answer.bytes_async())
        if await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest()) != sha256:
            raise StoreError(f"object {key} is not what was stored")
        return content

    async def delete(self, keys: Sequence[str]) -> None:
        """Let them go; a key that is not there is no error."""
        import obstore
        from obstore.exceptions import NotFoundError

        absent = (FileNotFoundError, NotFoundError)  # S3 says nothing of a key that never was, other stores refuse
        async with _as_unavailable():
            try:
                await obstore.delete_async(self._store, list(keys))
            except absent:
                for key in keys:
                    with contextlib.suppress(*absent):
                        await obstore.delete_async(self._store, key)


async def put_away(
    store: Store, blobs: Sequence[bytes], rows: Mapping[int, MutableMapping[str, Any]]
) -> tuple[bytes | None, ...]:
    """Put the large ones away and write their keys into their rows (by place, from 0); what is left for the statement."""
    objects = store.objects
    if objects is None or not store.puts_away:
        return tuple(blobs)
    keys = {n: new_id("obj") for n in rows if len(blobs[n]) > objects.over_bytes}
    if not keys:
        return tuple(blobs)
    await store.announce(list(keys.values()))
    await asyncio.gather(*(objects.put(key, blobs[n]) for n, key in keys.items()))
    for n, key in keys.items():
        rows[n]["object"] = key
    return tuple(None if n in keys else blob for n, blob in enumerate(blobs))


@asynccontextmanager
async def _as_unavailable() -> AsyncIterator[None]:
    """The provider's troubles are troubles of the store: the whole unit of work is tried again."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        raise StoreUnavailable(f"the object store: {type(error).__name__}") from error
