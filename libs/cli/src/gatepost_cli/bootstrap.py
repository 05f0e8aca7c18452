"""What a fresh database needs before anyone can use it: a tenant, three people's keys, mailboxes, knowledge.

Safe to run at every start: what is there already stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from gatepost_cli.knowledge import chunks_of, title_of
from gatepost_contracts.ids import new_id
from gatepost_store import Store
from gatepost_store.pool import Connection

KEYS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    # name        principal kind  principal id     scopes
    ("operator", "person", "prn_operator", ("read", "admin")),
    ("agent", "agent", "prn_agent", ("read", "send", "oversight_read")),
    ("reviewer", "person", "prn_reviewer", ("read", "oversight")),
)
DRAFTER = "prn_drafter"
SYSTEM_MAILBOX = "mbx_system"


@dataclass(frozen=True)
class Mailbox:
    """One mailbox of the installation."""

    id: str
    address: str
    mode: str


async def bootstrap(
    store: Store, keys: Mapping[str, str], mailboxes: Sequence[tuple[str, str]], *, oversight_email: str
) -> list[Mailbox]:
    """Make what is missing; `keys` maps key name to the key, `mailboxes` are (address, mode)."""
    tenant = await store.fetchval("tenant")
    if tenant is None:
        tenant = new_id("ten")
        await store.execute("add_tenant", tenant, "Your company", oversight_email)
        tenant = await store.fetchval("tenant")
    await store.execute("add_principal", DRAFTER, tenant, "service", "drafter")
    for name, kind, principal, scopes in KEYS:
        await store.execute("add_principal", principal, tenant, kind, name)
        await add_key(store, tenant, principal, name, keys[name], scopes)
    await store.execute(
        "add_mailbox", SYSTEM_MAILBOX, tenant, "system@gatepost.invalid", "Gatepost", "autonomous", False, ""
    )
    return [await add_mailbox(store, tenant, address, mode) for address, mode in mailboxes]


async def add_key(store: Store, tenant: str, principal: str, name: str, key: str, scopes: Sequence[str]) -> None:
    """Store the hash of a key; the key itself is never written to the database."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    await store.execute("add_key", new_id("key"), tenant, principal, name, key[:12], digest, list(scopes))


async def add_mailbox(store: Store, tenant: str, address: str, mode: str, *, drafting: bool = True) -> Mailbox:
    """Make one mailbox with the sample knowledge, or find it as it is."""
    found = await store.fetchrow("mailbox", address)
    if found is None:
        async with (
            store.transaction() as connection
        ):  # all of it or nothing: a later start would not add what is missing
            mailbox = new_id("mbx")
            made = await connection.execute(
                store.queries["add_mailbox"], mailbox, tenant, address, "Support", mode, drafting, ""
            )
            for name, markdown in sample_articles() if made == "INSERT 0 1" else ():
                await _write_article(store, connection, tenant, mailbox, name, markdown)
        found = await store.fetchrow("mailbox", address)
        if found is None:
            raise RuntimeError(f"the mailbox {address} could not be made")
    return Mailbox(found["id"], found["address"], found["mode"])


def sample_articles() -> list[tuple[str, str]]:
    """The sample knowledge of a demo mailbox: (file name, markdown)."""
    folder = resources.files("gatepost_cli") / "samples"
    return sorted((f.name, f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".md"))


async def add_article(store: Store, tenant: str, mailbox: str, name: str, markdown: str) -> int:
    """Store an article and its chunks together; returns how many chunks, 0 when nothing changed."""
    async with store.transaction() as connection:
        return await _write_article(store, connection, tenant, mailbox, name, markdown)


async def _write_article(
    store: Store, connection: Connection, tenant: str, mailbox: str, name: str, markdown: str
) -> int:
    title = title_of(markdown, name)
    digest = hashlib.sha256(markdown.encode()).hexdigest()
    article = await connection.fetchval(
        store.queries["add_article"], new_id("kno"), tenant, mailbox, name, title, markdown, digest
    )
    if article is None:
        return 0
    await connection.execute(store.queries["drop_chunks"], article)
    chunks = chunks_of(markdown, title)
    await connection.executemany(
        store.queries["add_chunk"],
        [(new_id("chk"), tenant, mailbox, article, n, chunk.heading, chunk.text) for n, chunk in enumerate(chunks)],
    )
    return len(chunks)
