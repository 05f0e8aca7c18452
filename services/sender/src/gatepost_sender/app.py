"""The sender, put together."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

from gatepost_contracts.commands import DomainKey
from gatepost_runtime import Service, Wired, serve
from gatepost_runtime.settings import read
from gatepost_sender.clock import DatabaseClock
from gatepost_sender.counts import Counts
from gatepost_sender.crew import Crew
from gatepost_sender.deliver import Courier
from gatepost_sender.dkim_keys import DkimKeys
from gatepost_sender.driver import Login, Manner
from gatepost_sender.handlers import HANDLERS, Desk
from gatepost_sender.lanes import Lanes
from gatepost_sender.names import Names
from gatepost_sender.pace import Rates
from gatepost_sender.queue import Queue
from gatepost_sender.registrar import Registrar
from gatepost_sender.reports import Reports
from gatepost_sender.route import MxRouter, RelayRouter, Router, TestRouter
from gatepost_sender.settings import SenderSettings, policies_of
from gatepost_sender.signing import Signer
from gatepost_sender.steps import Steps
from gatepost_sender.sts import PolicyHost, StsPolicies
from gatepost_sender.tls import Tls, TlsSessions
from gatepost_sender.turns import Turns
from gatepost_sender.watch import Watch
from gatepost_store import Store, StoreUnavailable

_THREADS = 2
"""That sign: RSA lets go of the interpreter, the rest does not, so more of them gain nothing."""


def router_of(settings: SenderSettings, *, helo: str, is_dev: bool, store: Store | None = None) -> Router:
    """The relays where some are set, else the recipients' exchangers."""
    plain = Manner(helo, settings.mx_tls, settings.timeouts, ca_file=settings.ca_file, sources=settings.sources)
    if settings.relays:
        is_here = all(_is_loopback(host) for host, _ in settings.relays)
        tls = settings.relay_tls or (Tls.OFFERED if is_dev or is_here else Tls.VERIFIED)
        login = Login(settings.relay_user, settings.password or "") if settings.relay_user else None
        return RelayRouter(settings.relays, replace(plain, tls=tls, login=login))
    names = names_of(settings, is_dev=is_dev)
    sts = None
    if settings.mta_sts and store is not None:
        sts = StsPolicies(names, store, PolicyHost(names, ca_file=settings.ca_file).fetch)
    policies = policies_of(settings.tls_policies)
    return MxRouter(plain, names, port=settings.mx_port, policies=policies, sts=sts, our_name=helo)


def names_of(settings: SenderSettings, *, is_dev: bool, keeps: bool = True) -> Names:
    """The resolver."""
    return Names(
        settings.resolvers, allows_private=settings.mx_allow_private or is_dev, validates=settings.dns_validates,
        order=settings.ip_order, keeps=keeps,
    )  # fmt: skip


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def wire(service: Service) -> Wired:
    """Every part with what it needs."""
    shared, keys, store = service.settings, service.keys, service.store
    settings = read(SenderSettings)
    settings = settings.model_copy(update={"stop_s": max(0.0, min(settings.stop_s, shared.graceful_timeout_s - 5))})
    owner = f"{socket.gethostname()[:40]}.{os.getpid()}.{secrets.token_hex(4)}"
    helo = settings.helo or urlsplit(shared.public_url).hostname or "localhost"
    counts, clock = Counts(service.registry), DatabaseClock()
    await clock.read(store)
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="sign")
    sessions = TlsSessions(store)
    lanes = Lanes(
        width_max=settings.attempts_per_destination,
        idle_s=settings.connection_idle_s,
        mails_per_connection=settings.mails_per_connection,
        tell_tls=sessions.count,
    )
    router = router_of(settings, helo=_literal(helo), is_dev=shared.is_dev, store=store)
    dkim = DkimKeys(store, keys.seal_private("sender"), pool, records_file=settings.dkim_records_file)
    signer = Signer(
        store, dkim, Crew(pool, _THREADS), token_key=keys.token, identity_key=keys.identity_private, public_url=shared.public_url
    )  # fmt: skip
    names = names_of(settings, is_dev=shared.is_dev, keeps=False)  # who just published wants to be seen
    registrar = Registrar(store, dkim, names, host=helo, spf=settings.spf or f"a:{helo}")
    steps = Steps(store, owner=owner, lease_s=settings.lease_s, clock=clock)
    sink = settings.test_catcher
    trial = TestRouter(sink, Manner(_literal(helo), Tls.OFFERED, settings.timeouts))
    span = service.flows.span if shared.otlp_url else None  # without a collector it would be made for nobody
    courier = Courier(steps, signer, router, trial, lanes, settings, counts, clock, span=span)
    turns = Turns(store, Rates.parse(settings.destination_rates))
    queue = Queue(store, steps, courier, signer, router, lanes, turns, keys.grant_public, settings, counts, clock)
    watch = Watch(store, steps, queue, turns, settings, counts, clock)

    async def close() -> None:
        await lanes.close()
        with contextlib.suppress(StoreUnavailable):
            await sessions.write()
        pool.shutdown(wait=False, cancel_futures=True)

    async def keep_time() -> None:
        while True:
            await asyncio.sleep(30)
            with contextlib.suppress(StoreUnavailable):
                await clock.read(store)

    async def count_sessions() -> None:
        while True:
            await asyncio.sleep(60)
            with contextlib.suppress(StoreUnavailable):
                await sessions.write()

    async def run_queue() -> None:
        await queue.run(service.stopping)

    return Wired(
        handlers=HANDLERS,
        actor=Desk(queue, Reports(store, steps)),
        commands={DomainKey: registrar.answer},
        tasks=(run_queue, watch.keep_leases, watch.find_lost, lanes.keep_tidy, keep_time, count_sessions),
        close=(close,),
    )


def _literal(host: str) -> str:
    """An address as SMTP writes it; a name stays as it is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def main() -> None:
    """The process."""
    serve("sender", wire)
