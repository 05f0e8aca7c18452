"""Puts ingest together: SMTP in, the store behind it. It handles no events."""

from __future__ import annotations

from gatepost_ingest.directory import MailboxDirectory
from gatepost_ingest.hooks import Hooks
from gatepost_ingest.intake import Intake
from gatepost_ingest.listener import Listener
from gatepost_ingest.settings import IngestSettings
from gatepost_runtime import Fatal, Service, Wired, serve


async def wire(service: Service) -> Wired:
    """Open the door; it closes first when the service stops."""
    settings = IngestSettings()
    intake = Intake(service.store, service.keys.token, settings)
    directory = MailboxDirectory(service.store, settings.lookup_cache_s)
    hooks = Hooks(settings, directory, intake.receive)
    listener = Listener(settings, hooks)
    hooks.listener = listener

    try:
        await listener.start()
    except OSError as error:
        raise Fatal(f"GATEPOST_INGEST_PORT: {settings.port} cannot be opened: {error.strerror}") from None

    async def drain() -> None:
        try:
            await service.stopping.wait()
        finally:  # a stop cancels this: mails under way are still finished
            await listener.stop(settings.grace_s)
            await hooks.finish()

    return Wired(tasks=(drain,), close=(intake.close,))


def main() -> None:
    """The process."""
    serve("ingest", wire)
