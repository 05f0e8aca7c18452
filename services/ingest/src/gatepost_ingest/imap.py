"""Mail from a mailbox elsewhere, for people who cannot change their MX: read over IMAP as it arrives (IDLE).

One thread for each account, because the library blocks. A mail counts as read once it is committed: only then the place
(UIDVALIDITY and UID) moves on and, unless the account is read-only, the mail is marked as seen. A crash in between reads
it once more, and the same bytes are stored once. A folder that was made anew (another UIDVALIDITY) is read from its
beginning for the same reason. Trouble ends the connection; the next one comes after a growing, jittered pause.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from imapclient import IMAPClient

from gatepost_ingest.accounts import Account
from gatepost_ingest.arrived import Arrived, Mailbox, Recipient, Refused
from gatepost_ingest.envelopes import recipients_in, sender_in
from gatepost_ingest.paths import folded, one_line_end, without_tag

log = structlog.get_logger()

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
IDLE_S = 300.0
"""Then the folder is asked again: servers and the boxes between forget idle connections (RFC 2177: within 29 minutes)."""
LISTEN_S = 1.0
"""A stop is noticed within this."""
TALK_S = 60.0


class Places(Protocol):
    """How far each account was read."""

    async def read(self, mailbox_id: str, account: str) -> tuple[int, int, int] | None:
        """(UIDVALIDITY, last UID, UIDs up to here are history)."""

    async def write(self, mailbox_id: str, account: str, place: tuple[int, int, int]) -> None:
        """Remember it."""


class Fetcher:
    """Reads one account until it is stopped."""

    def __init__(
        self, account: Account, find: Callable[[str], Awaitable[Mailbox | None]],
        store: Callable[[Arrived], Awaitable[tuple[str, ...]]], places: Places, *, most_bytes: int,
    ) -> None:  # fmt: skip
        self._account, self._find, self._store, self._places = account, find, store, places
        self._most_bytes = most_bytes
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.is_connected = False

    async def run(self) -> None:
        """For ever; a cancellation stops the thread and waits for it."""
        work = self._loop.run_in_executor(None, self._read_for_ever)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stop.set()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(work, TALK_S)
            raise

    # -- in the thread ----------------------------------------------------------------------------------------

    def _read_for_ever(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                with self._connected() as server:
                    self.is_connected = True
                    pause = FIRST_PAUSE_S
                    self._follow(server)
            except Exception as error:
                log.warning("an account cannot be read now", account=self._account.name, error=type(error).__name__,
                            again_in_s=round(pause))  # fmt: skip
            finally:
                self.is_connected = False
            self._stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 (a pause, not a secret)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    @contextlib.contextmanager
    def _connected(self) -> Any:
        account = self._account
        context = ssl.create_default_context(cafile=account.ca_file)
        server = IMAPClient(
            account.host, account.port, ssl=account.security == "tls", ssl_context=context, timeout=TALK_S
        )
        try:
            if account.security == "starttls":
                server.starttls(context)
            server.login(account.user, account.password.get_secret_value())
            yield server
            server.logout()
        finally:
            with contextlib.suppress(Exception):
                server.shutdown()

    def _follow(self, server: IMAPClient) -> None:
        said = server.select_folder(self._account.folder, readonly=self._account.read_only)
        validity, next_uid = int(said[b"UIDVALIDITY"]), int(said.get(b"UIDNEXT", 1))
        mailbox = self._wait(self._find(self._account.mailbox))
        if mailbox is None:
            raise LookupError(self._account.mailbox)
        place = self._begin(mailbox, validity, next_uid)
        can_idle = server.has_capability("IDLE")
        while not self._stop.is_set():
            before, place = place, self._read_new(server, mailbox, place)
            if (
                place == before
            ):  # what came while others were read was told then; what comes from now on is told in IDLE
                self._listen(server, can_idle=can_idle)

    def _begin(self, mailbox: Mailbox, validity: int, next_uid: int) -> tuple[int, int, int]:
        """Where to go on; what was there before the account was first read is history, or is left alone."""
        known: tuple[int, int, int] | None = self._wait(self._places.read(mailbox.id, self._account.name))
        if known is not None and known[0] == validity:
            return known
        if known is not None:
            log.warning("a folder was made anew, it is read from its beginning", account=self._account.name)
            place = (validity, 0, 0)
        else:
            before = next_uid - 1
            place = (validity, 0 if self._account.history else before, before)
        self._wait(self._places.write(mailbox.id, self._account.name, place))
        return place

    def _read_new(self, server: IMAPClient, mailbox: Mailbox, place: tuple[int, int, int]) -> tuple[int, int, int]:
        validity, last, history = place
        for uid in sorted(uid for uid in server.search(["UID", f"{last + 1}:*"]) if uid > last):
            if self._stop.is_set():
                break
            self._read_one(server, mailbox, uid, is_history=uid <= history)
            place = (validity, uid, history)
            self._wait(self._places.write(mailbox.id, self._account.name, place))
        return place

    def _read_one(self, server: IMAPClient, mailbox: Mailbox, uid: int, *, is_history: bool) -> None:
        size = server.fetch([uid], ["RFC822.SIZE"]).get(uid, {}).get(b"RFC822.SIZE")
        if size is None:
            return  # it was deleted meanwhile
        if size > self._most_bytes:
            log.warning("a mail is larger than is taken here, it stays where it is", account=self._account.name, uid=uid,
                        size=size)  # fmt: skip
            return
        received = server.fetch([uid], ["BODY.PEEK[]"]).get(uid, {}).get(b"BODY[]")
        if received is None:
            return
        try:
            ids = self._wait(self._store(arrived(received, mailbox, is_history=is_history)))
        except Refused:
            log.warning("a mail was refused, it stays where it is", account=self._account.name, uid=uid)
            return
        log.info("a mail was fetched", account=self._account.name, uid=uid, message_id=ids[0])
        if not self._account.read_only:
            server.add_flags([uid], [b"\\Seen"], silent=True)

    def _listen(self, server: IMAPClient, *, can_idle: bool) -> None:
        """Until something happens in the folder, or for a while."""
        if not can_idle:
            self._stop.wait(self._account.poll_s)
            server.noop()
            return
        server.idle()
        try:
            for _ in range(int(IDLE_S / LISTEN_S)):
                said = server.idle_check(timeout=LISTEN_S)
                if self._stop.is_set() or any(b"EXISTS" in line for line in said if isinstance(line, tuple)):
                    break
        finally:
            server.idle_done()

    def _wait(self, answer: Awaitable[Any]) -> Any:
        """What the loop answers; a stop does not cut it short, so that what is committed is remembered."""
        return asyncio.run_coroutine_threadsafe(_of(answer), self._loop).result(TALK_S * 2)


async def _of(answer: Awaitable[Any]) -> Any:
    return await answer


def arrived(received: bytes, mailbox: Mailbox, *, is_history: bool) -> Arrived:
    """The mail with the envelope that its headers tell; who the peer was nobody here can know."""
    raw, had_bare = one_line_end(received)
    tagged = (a for a in recipients_in(raw) if without_tag(a) == mailbox.address)
    sender = sender_in(raw)
    return Arrived(
        raw=raw, sender=folded(sender) if sender else "", recipients=(Recipient(next(tagged, mailbox.address), mailbox),),
        had_bare_line_ends=had_bare, peer="", hello="", is_encrypted=True, at=datetime.now(UTC),
        door="import" if is_history else "imap", received=received if had_bare else None,
    )  # fmt: skip
