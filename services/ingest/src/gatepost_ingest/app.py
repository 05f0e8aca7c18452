"""Puts ingest together: SMTP, posted mail and IMAP in, the store behind them. It handles no events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatepost_ingest.accounts import BadAccounts, read_accounts
from gatepost_ingest.answers import Answers
from gatepost_ingest.directory import MailboxDirectory
from gatepost_ingest.http import HttpDoor
from gatepost_ingest.intake import Intake
from gatepost_ingest.listener import Listener
from gatepost_ingest.places import PlacesInStore
from gatepost_ingest.settings import IngestSettings
from gatepost_ingest.signing_in import Relays
from gatepost_runtime import Fatal, Service, Wired, serve

if TYPE_CHECKING:
    from gatepost_ingest.imap import Fetcher


async def wire(service: Service) -> Wired:
    """Open the door; it closes first when the service stops."""
    settings = IngestSettings()
    intake = Intake(service.store, service.keys.token, settings)
    directory = MailboxDirectory(service.store, settings.lookup_cache_s)
    relays = relays_of(settings)
    answers = Answers(settings, directory, intake.receive, relays)
    listener = Listener(settings, answers)
    answers.listener = listener

    try:
        await listener.start()
    except OSError as error:
        raise Fatal(f"GATEPOST_INGEST_PORT: {settings.port} cannot be opened: {error.strerror}") from None

    door = await http_door(settings, answers, directory, relays)

    async def drain() -> None:
        try:
            await service.stopping.wait()
        finally:  # a stop cancels this: mails under way are still finished
            await listener.stop(settings.grace_s)
            if door is not None:
                await door.stop()
            await answers.finish()

    fetchers = await fetchers_of(service, settings, directory, answers)
    return Wired(tasks=(drain, *(fetcher.run for fetcher in fetchers)), close=(intake.close,))


async def http_door(
    settings: IngestSettings, answers: Answers, directory: MailboxDirectory, relays: Relays
) -> HttpDoor | None:
    """The door for posted mail, where one is wanted."""
    if settings.http_port is None:
        return None
    door = HttpDoor(settings, answers, directory, relays)
    try:
        await door.start()
    except OSError as error:
        raise Fatal(f"GATEPOST_INGEST_HTTP_PORT: {error}") from None
    return door


async def fetchers_of(
    service: Service, settings: IngestSettings, directory: MailboxDirectory, answers: Answers
) -> tuple[Fetcher, ...]:
    """One for each IMAP account; a file that cannot be used stops the start."""
    try:
        accounts = read_accounts(settings.imap_file)
    except BadAccounts as reason:
        raise Fatal(f"GATEPOST_INGEST_IMAP_FILE: {reason}") from None
    if not accounts:
        return ()
    from gatepost_ingest.imap import Fetcher  # the library is loaded where it is used

    places = PlacesInStore(service.store)
    return tuple(
        Fetcher(account, directory.find, answers.store, places, most_bytes=settings.max_size) for account in accounts
    )


def relays_of(settings: IngestSettings) -> Relays:
    """The relays that may sign in; a file that cannot be read stops the start."""
    if settings.relays_file is None:
        return Relays("")
    try:
        return Relays(settings.relays_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Fatal(f"GATEPOST_INGEST_RELAYS_FILE: {getattr(error, 'strerror', None) or error}") from None


def main() -> None:
    """The process."""
    serve("ingest", wire)
