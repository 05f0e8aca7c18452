"""The notifier as a process."""

from __future__ import annotations

import asyncio

from prometheus_client import Gauge

from gatepost_contracts.commands import Redeliver, SampleWebhook
from gatepost_notifier.asked import Asked
from gatepost_notifier.deliver import Deliverer
from gatepost_notifier.desk import Desk
from gatepost_notifier.handlers import handlers
from gatepost_notifier.ledger import Ledger
from gatepost_notifier.settings import NotifierSettings
from gatepost_notifier.wire import Wire
from gatepost_runtime import Service, Wired, serve, unseal

COUNT_S = 15


async def wire(service: Service) -> Wired:
    """Put it together."""
    settings = NotifierSettings()
    key = service.keys.seal_private("notifier")
    post = Wire(
        timeout_s=settings.timeout_s, reply_bytes=settings.reply_bytes, targets=service.settings.targets,
        in_all=settings.in_flight,
    )  # fmt: skip
    ledger = Ledger(service.store)
    deliverer = Deliverer(ledger, post, lambda sealed: unseal(key, sealed), settings, span=service.flows.span)
    asked = Asked(service.store, deliverer.wake)
    failing = Gauge("gatepost_webhook_endpoints_failing", "Endpoints that are on and that nothing reaches.",
                    registry=service.registry)  # fmt: skip

    async def count_failing() -> None:
        while True:
            failing.set(await ledger.how_many_fail())
            await asyncio.sleep(COUNT_S)

    return Wired(
        handlers=handlers(settings.workers),
        actor=Desk(service.store, deliverer.wake, public_url=service.settings.public_url),
        commands={SampleWebhook: asked.sample, Redeliver: asked.redeliver},
        tasks=(deliverer.run, count_failing),
        close=(post.close,),
    )


def main() -> None:
    """Run it."""
    serve("notifier", wire)
