"""The gatekeeper as a process."""

from __future__ import annotations

from urllib.parse import urlsplit

from gatepost_contracts.commands import (
    Cancel,
    Decide,
    ErasePerson,
    LiftHold,
    MoveMails,
    Pause,
    PlaceHold,
    RedeemApproval,
    RedeemUpgrade,
    RemoveSuppression,
    RequestApproval,
    RequestUpgrade,
    Resolve,
    Resume,
    SetGrant,
    SetMode,
    SetRule,
    SetTwoPerson,
)  # fmt: skip
from gatepost_gatekeeper.approvals import Approvals
from gatepost_gatekeeper.auditor import Auditor
from gatepost_gatekeeper.decisions import Decisions
from gatepost_gatekeeper.desk import Desk
from gatepost_gatekeeper.facts import Limits
from gatepost_gatekeeper.granting import Granting
from gatepost_gatekeeper.grants import Grants
from gatepost_gatekeeper.handlers import handlers
from gatepost_gatekeeper.log import LogWriter
from gatepost_gatekeeper.notices import Notices
from gatepost_gatekeeper.people import People
from gatepost_gatekeeper.quality import Quality
from gatepost_gatekeeper.reach import Reach
from gatepost_gatekeeper.receipts import Receipts
from gatepost_gatekeeper.settings import GatekeeperSettings
from gatepost_gatekeeper.steps import Steps
from gatepost_gatekeeper.telling import Telling
from gatepost_gatekeeper.threads import Threads
from gatepost_gatekeeper.timers import Timers
from gatepost_gatekeeper.upgrades import Upgrades
from gatepost_gatekeeper.world import World
from gatepost_gatekeeper.world_steps import WorldSteps
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
    notices, quality = Notices(steps, grants), Quality(steps)
    public_url = str(service.settings.public_url)
    telling = Telling(steps, notices, public_url=public_url, digest_after_s=settings.digest_after_s)
    limits = Limits(
        hourly=hourly, per_thread=settings.loop_limit,
        per_correspondent=settings.correspondent_limit, home_hosts=(home,), sample_key=grants.derived("sample"),
        sample_rate=settings.sample_rate,
    )  # fmt: skip
    if service.replaying is None:  # a replay writes nothing
        await service.store.execute("tell_sample_rate", settings.sample_rate)
    receipts = Receipts(service.store, service.keys.checkpoint_private)
    desk, decisions = Desk(steps, grants, limits, telling), Decisions(steps, grants, quality, receipts)
    world_steps = WorldSteps(steps)
    world, granting = World(world_steps), Granting(world_steps)
    upgrades = Upgrades(world_steps, notices, grants.derived("upgrade code"), public_url)
    approvals = Approvals(service.store, notices, grants.derived("approval code"))
    people = People(
        world_steps, receipts, mail_days=settings.retain_mail_days, webhook_days=settings.retain_webhook_days,
        words_days=settings.retain_words_days,
    )  # fmt: skip
    timers = Timers(
        steps, desk, sweep_s=settings.sweep_s, stuck_after_s=settings.stuck_after_s,
        chores=(
            upgrades.sweep, approvals.sweep, quality.sweep, telling.news, telling.digest, people.sweep,
            service.store.sweep_objects, Reach(service.store, service.registry).sweep,
        ),
    )  # fmt: skip
    sequencer = Sequencer(service.store, service.keys.checkpoint_private, home, checkpoint_s=settings.checkpoint_s)
    writer = LogWriter(service.store, sequencer, service.registry, interval_s=settings.audit_interval_s)
    auditor = Auditor(
        service.store, service.registry, interval_s=settings.auditor_s, round_size=settings.auditor_mails,
        alert=telling.deviation,
    )  # fmt: skip
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
            SetTwoPerson: granting.set_two_person,
            SetGrant: granting.set_grant,
            SetRule: granting.set_rule,
            ErasePerson: people.erase,
            PlaceHold: people.place_hold,
            LiftHold: people.lift_hold,
            RequestUpgrade: upgrades.request,
            RedeemUpgrade: upgrades.redeem,
            RequestApproval: approvals.request,
            RedeemApproval: approvals.redeem,
            RemoveSuppression: world.remove_suppression,
            MoveMails: Threads(world_steps).move,
        },
        tasks=(timers.run, writer.run, auditor.run),
    )


def main() -> None:
    """Run it."""
    serve("gatekeeper", wire)
