"""How far each IMAP account was read, in the database."""

from __future__ import annotations

from gatepost_store import Store


class PlacesInStore:
    """The table `imap_place`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, mailbox_id: str, account: str) -> tuple[int, int, int] | None:
        """(UIDVALIDITY, last UID, UIDs up to here are history); None for an account that was never read."""
        row = await self._store.fetchrow("imap_place", mailbox_id, account)
        return (row["uid_validity"], row["last_uid"], row["history_uid"]) if row is not None else None

    async def write(self, mailbox_id: str, account: str, place: tuple[int, int, int]) -> None:
        """Remember it."""
        await self._store.execute("keep_imap_place", mailbox_id, account, *place)
