"""The notifier as a process."""

from __future__ import annotations

from gatepost_notifier.deliver import Deliverer
from gatepost_notifier.desk import Desk
from gatepost_notifier.handlers import handlers
from gatepost_notifier.ledger import Ledger
from gatepost_notifier.settings import NotifierSettings
from gatepost_notifier.wire import Wire
from gatepost_runtime import Service, Wired, serve, unseal


async def wire(service: Service) -> Wired:
    """Put it together."""
    settings = NotifierSettings()
    key = service.keys.seal_private("notifier")
    post = Wire(
        timeout_s=settings.timeout_s, reply_bytes=settings.reply_bytes, targets=service.settings.targets,
        in_all=settings.in_flight,
    )  # fmt: skip
    deliverer = Deliverer(
        Ledger(service.store), post, lambda sealed: unseal(key, sealed), settings, span=service.flows.span
    )
    return Wired(
        handlers=handlers(settings.workers),
        actor=Desk(service.store, deliverer.wake, public_url=service.settings.public_url),
        tasks=(deliverer.run,),
        close=(post.close,),
    )


def main() -> None:
    """Run it."""
    serve("notifier", wire)
