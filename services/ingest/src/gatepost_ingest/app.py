"""Puts ingest together: SMTP in, the store behind it. It handles no events."""

from __future__ import annotations

from gatepost_ingest.answers import Answers
from gatepost_ingest.directory import MailboxDirectory
from gatepost_ingest.intake import Intake
from gatepost_ingest.listener import Listener
from gatepost_ingest.settings import IngestSettings
from gatepost_ingest.signing_in import Relays
from gatepost_runtime import Fatal, Service, Wired, serve


async def wire(service: Service) -> Wired:
    """Open the door; it closes first when the service stops."""
    settings = IngestSettings()
    intake = Intake(service.store, service.keys.token, settings)
    directory = MailboxDirectory(service.store, settings.lookup_cache_s)
    answers = Answers(settings, directory, intake.receive, relays_of(settings))
    listener = Listener(settings, answers)
    answers.listener = listener

    try:
        await listener.start()
    except OSError as error:
        raise Fatal(f"GATEPOST_INGEST_PORT: {settings.port} cannot be opened: {error.strerror}") from None

    async def drain() -> None:
        try:
            await service.stopping.wait()
        finally:  # a stop cancels this: mails under way are still finished
            await listener.stop(settings.grace_s)
            await answers.finish()

    return Wired(tasks=(drain,), close=(intake.close,))


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
