"""The gatekeeper as a process."""

from __future__ import annotations

from urllib.parse import urlsplit

from gatepost_contracts.commands import Cancel, Decide, Pause, RemoveSuppression, Resolve, Resume, SetMode
from gatepost_gatekeeper.decisions import Decisions
from gatepost_gatekeeper.desk import Desk
from gatepost_gatekeeper.facts import Limits
from gatepost_gatekeeper.grants import Grants
from gatepost_gatekeeper.handlers import handlers
from gatepost_gatekeeper.log import LogWriter
from gatepost_gatekeeper.settings import GatekeeperSettings
from gatepost_gatekeeper.steps import Steps
from gatepost_gatekeeper.timers import Timers
from gatepost_gatekeeper.world import World
from gatepost_runtime import Service, Wired, serve
from gatepost_store.audit.sequencer import Sequencer

HOURLY_IN_PRODUCTION = 1000


async def wire(service: Service) -> Wired:
    """Put it together."""
    settings = GatekeeperSettings()
    is_dev = service.settings.is_dev
    hourly = settings.hourly_limit if settings.hourly_limit is not None else (0 if is_dev else HOURLY_IN_PRODUCTION)
    home = urlsplit(str(service.settings.public_url)).hostname or ""
    steps = Steps(service.store)
    grants = Grants(service.keys.grant_private, settings.queue_life_s)
    desk = Desk(steps, grants, Limits(hourly=hourly, per_thread=settings.loop_limit, home_hosts=(home,)))
    decisions, world = Decisions(steps, grants), World(steps)
    timers = Timers(steps, desk, sweep_s=settings.sweep_s, stuck_after_s=settings.stuck_after_s)
    sequencer = Sequencer(service.store, service.keys.checkpoint_private, home, checkpoint_s=settings.checkpoint_s)
    writer = LogWriter(service.store, sequencer, service.registry, interval_s=settings.audit_interval_s)
    return Wired(
        handlers=handlers(settings.workers),
        actor=desk,
        commands={
            Decide: decisions.decide,
            Cancel: decisions.cancel,
            Resolve: decisions.resolve,
            Pause: world.pause,
            Resume: world.resume,
            SetMode: world.set_mode,
            RemoveSuppression: world.remove_suppression,
        },
        tasks=(timers.run, writer.run),
    )


def main() -> None:
    """Run it."""
    serve("gatekeeper", wire)
