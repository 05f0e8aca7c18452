"""Puts the drafter together: its provider, its two events, and the sweep for what they missed."""

from __future__ import annotations

from gatepost_drafter.desk import Desk
from gatepost_drafter.handlers import HANDLERS
from gatepost_drafter.providers import Providers
from gatepost_drafter.rehearsal import Rehearsed
from gatepost_drafter.settings import DrafterSettings
from gatepost_runtime import Service, Wired, serve


async def wire(service: Service) -> Wired:
    """The drafter, ready to run."""
    settings = DrafterSettings()
    providers = Providers(settings) if service.replaying is None else Rehearsed(settings, service.replaying)
    desk = Desk(service.store, settings, providers)
    service.log.info("drafting", provider=settings.chosen, model=settings.chosen_model)

    async def sweep() -> None:
        while await service.rest(settings.sweep_s):
            await desk.sweep()

    return Wired(handlers=HANDLERS, actor=desk, tasks=(sweep,), close=(providers.close,))


def main() -> None:
    """The process."""
    serve("drafter", wire)
