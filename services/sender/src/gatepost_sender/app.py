"""The sender, put together."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from gatepost_contracts.commands import DomainKey
from gatepost_runtime import Service, Wired, serve
from gatepost_runtime.settings import read
from gatepost_sender.clock import DatabaseClock
from gatepost_sender.counts import Counts
from gatepost_sender.deliver import Courier
from gatepost_sender.dkim_keys import DkimKeys
from gatepost_sender.driver import Login, Manner, Tls
from gatepost_sender.handlers import HANDLERS, Desk
from gatepost_sender.lanes import Lanes
from gatepost_sender.queue import Queue
from gatepost_sender.reports import Reports
from gatepost_sender.route import MxRouter, RelayRouter, Router
from gatepost_sender.settings import SenderSettings
from gatepost_sender.signing import Signer
from gatepost_sender.steps import Steps
from gatepost_sender.watch import Watch
from gatepost_store import StoreUnavailable


def router_of(settings: SenderSettings, *, helo: str, is_dev: bool) -> Router:
    """The relay where one is set, else the recipients' exchangers."""
    if settings.relay_host is None:
        return MxRouter(
            Manner(helo, settings.mx_tls, settings.timeouts, ca_file=settings.ca_file), port=settings.mx_port
        )
    tls = settings.relay_tls or (Tls.OFFERED if is_dev or _is_loopback(settings.relay_host) else Tls.VERIFIED)
    login = Login(settings.relay_user, settings.password or "") if settings.relay_user else None
    manner = Manner(helo, tls, settings.timeouts, login, settings.ca_file)
    return RelayRouter(settings.relay_host, settings.relay_port, manner)


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
    pool = ThreadPoolExecutor(2, thread_name_prefix="sign")
    lanes = Lanes(
        width_max=settings.attempts_per_destination,
        idle_s=settings.connection_idle_s,
        mails_per_connection=settings.mails_per_connection,
    )
    router = router_of(settings, helo=_literal(helo), is_dev=shared.is_dev)
    dkim = DkimKeys(store, keys.seal_private("sender"), pool, records_file=settings.dkim_records_file)
    signer = Signer(
        store, dkim, pool, token_key=keys.token, identity_key=keys.identity_private, public_url=shared.public_url
    )  # fmt: skip
    steps = Steps(store, owner=owner, lease_s=settings.lease_s, clock=clock)
    courier = Courier(steps, signer, router, lanes, settings, counts, clock)
    queue = Queue(store, steps, courier, signer, router, lanes, keys.grant_public, settings, counts, clock)
    watch = Watch(store, steps, queue, settings, counts, clock)

    async def close() -> None:
        await lanes.close()
        pool.shutdown(wait=False, cancel_futures=True)

    async def keep_time() -> None:
        while True:
            await asyncio.sleep(30)
            with contextlib.suppress(StoreUnavailable):
                await clock.read(store)

    async def run_queue() -> None:
        await queue.run(service.stopping)

    return Wired(
        handlers=HANDLERS,
        actor=Desk(queue, Reports(store, steps)),
        commands={DomainKey: dkim.domain_key},
        tasks=(run_queue, watch.keep_leases, watch.find_lost, lanes.keep_tidy, keep_time),
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
