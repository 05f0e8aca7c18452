"""The streams and durables as the broker should have them, made by one idempotent command; services declare nothing."""

from __future__ import annotations

import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from gatepost_contracts.catalogue import CONSUMERS, EVENTS_BY_TYPE, STREAMS
from gatepost_runtime.errors import Fatal
from gatepost_runtime.settings import StreamSettings
from gatepost_runtime.users import nats_users, third_party_user

__all__ = ["EVENTS", "apply", "check", "durables", "filters_of", "nats_users", "streams", "third_party_user"]

EVENTS = "EVENTS"
DEAD = "DEAD"
DUPLICATE_WINDOW_S = 120
MAX_ACK_PENDING = 5_000
OLDEST_SERVER = (2, 10, 23)  # older ones lost whole streams on a kill


def streams(settings: StreamSettings) -> tuple[StreamConfig, ...]:
    """Every stream, as it should be."""
    days = {EVENTS: settings.events_days, DEAD: settings.dead_days}
    return tuple(
        StreamConfig(
            name=stream.name,
            description=stream.sentence,
            subjects=list(stream.subjects),
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            max_age=days.get(stream.name, stream.max_age_days) * 86_400,
            duplicate_window=DUPLICATE_WINDOW_S,
            num_replicas=settings.replicas,
        )
        for stream in STREAMS
    )


def filters_of(types: tuple[str, ...]) -> list[str]:
    """The subjects of these event types; of all of them, the streams' own subjects."""
    if set(types) == set(EVENTS_BY_TYPE):
        return [subject for stream in STREAMS if stream.name == EVENTS for subject in stream.subjects]
    return [f"{event_type}.*" for event_type in types]


def durables(settings: StreamSettings) -> tuple[ConsumerConfig, ...]:
    """Every durable of every service, as it should be. Our own limit of attempts decides, so the server has none."""
    return tuple(
        ConsumerConfig(
            durable_name=durable,
            description=service,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=settings.ack_wait_s,
            deliver_policy=DeliverPolicy.ALL,
            max_deliver=-1,
            max_ack_pending=MAX_ACK_PENDING,
            filter_subject=filters[0] if len(filters) == 1 else None,
            filter_subjects=filters if len(filters) > 1 else None,
        )
        for service, rows in CONSUMERS.items()
        for durable, types in rows.items()
        for filters in (filters_of(types),)
    )


async def apply(nats_url: str, settings: StreamSettings | None = None) -> list[str]:
    """Make or change what differs; says what it did, one line each. Needs the operator's user."""
    settings = settings or StreamSettings()
    client = await nats.connect(nats_url, inbox_prefix="_INBOX_operator", allow_reconnect=False, connect_timeout=5)
    try:
        check_version(client.connected_server_version)
        return await _apply(client.jetstream(), settings)
    finally:
        await client.close()


async def check(nats_url: str, settings: StreamSettings | None = None) -> list[str]:
    """What differs from the declaration; empty when nothing does."""
    settings = settings or StreamSettings()
    client = await nats.connect(nats_url, inbox_prefix="_INBOX_operator", allow_reconnect=False, connect_timeout=5)
    try:
        js = client.jetstream()
        found = [f"stream {s.name} {state}" for s in streams(settings) if (state := await _stream_state(js, s))]
        found += [
            f"durable {d.durable_name} {state}" for d in durables(settings) if (state := await _durable_state(js, d))
        ]
        return found
    finally:
        await client.close()


def check_version(version: object) -> None:
    """Refuse servers that are known to lose streams."""
    numbers = tuple(getattr(version, part, 0) for part in ("major", "minor", "patch"))
    if numbers < OLDEST_SERVER:
        raise Fatal("nats-server is {}.{}.{}; 2.10.23 or newer is needed, older ones lose streams".format(*numbers))


async def _apply(js: JetStreamContext, settings: StreamSettings) -> list[str]:
    done = []
    for stream in streams(settings):
        match await _stream_state(js, stream):
            case "missing":
                await js.add_stream(stream)
                done.append(f"stream {stream.name}: made")
            case "differs":
                await js.update_stream(stream)
                done.append(f"stream {stream.name}: changed")
            case _:
                done.append(f"stream {stream.name}: as declared")
    for durable in durables(settings):
        state = await _durable_state(js, durable)
        if state:
            await js.add_consumer(EVENTS, durable)
        done.append(f"durable {durable.durable_name}: {_DONE[state]}")
    return done


_DONE = {"missing": "made", "differs": "changed", "": "as declared"}


async def _stream_state(js: JetStreamContext, wanted: StreamConfig) -> str:
    try:
        found = (await js.stream_info(str(wanted.name))).config
    except NotFoundError:
        return "missing"
    same = (
        sorted(found.subjects or ()) == sorted(wanted.subjects or ())
        and found.max_age == wanted.max_age
        and found.duplicate_window == wanted.duplicate_window
        and found.num_replicas == wanted.num_replicas
        and found.description == wanted.description
    )
    return "" if same else "differs"


async def _durable_state(js: JetStreamContext, wanted: ConsumerConfig) -> str:
    try:
        found = (await js.consumer_info(EVENTS, str(wanted.durable_name))).config
    except NotFoundError:
        return "missing"
    same = (
        subjects_of(found) == subjects_of(wanted)
        and found.ack_wait == wanted.ack_wait
        and found.ack_policy == wanted.ack_policy
        and found.max_ack_pending == wanted.max_ack_pending
        and (found.max_deliver or -1) == wanted.max_deliver
    )
    return "" if same else "differs"


def subjects_of(config: ConsumerConfig) -> list[str]:
    """The filter of a durable, however it is spelled."""
    return sorted(config.filter_subjects or ([config.filter_subject] if config.filter_subject else []))
