"""Which processes an installation is made of, and what each of them is told.

Every service gets its own database role's URL, its own NATS user and its own folder of keys, and nothing of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

SERVICES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")


@dataclass(frozen=True)
class Ports:
    """Where everything listens, on loopback."""

    http: int
    smtp: int
    nats: int
    nats_monitor: int
    postgres: int
    catcher_http: int
    catcher_smtp: int
    health: dict[str, int]


@dataclass(frozen=True)
class Plan:
    """What `gatepost up` was asked for."""

    data: Path
    host: str
    ports: Ports
    relay: tuple[str, int]
    has_catcher: bool
    provider: str
    passwords: dict[str, str]            # of database roles and NATS users, by service
    inherited: dict[str, str] = field(default_factory=dict)

    @property
    def http_url(self) -> str:
        """Where clients reach the API."""
        return f"http://{self.host}:{self.ports.http}"

    def nats_url(self, user: str) -> str:
        """The broker, as this user."""
        return f"nats://{user}:{self.passwords[user]}@127.0.0.1:{self.ports.nats}"

    def database_url(self, service: str) -> str:
        """The database, as this service's role; the owner is `owner`."""
        role = "gatepost" if service == "owner" else f"gp_{service}"
        return f"postgresql://{role}:{self.passwords[service]}@127.0.0.1:{self.ports.postgres}/gatepost"

    @property
    def dkim_records(self) -> Path:
        """Public DKIM records, written by the sender for the catcher."""
        return self.data / "dkim-records.json"


DEV_PROFILE: dict[str, dict[str, str]] = {
    # short delays, so that a person who tries it out sees what happens next
    "sender": {"GATEPOST_SENDER_RETRY_DELAYS_S": "1,2,4,8,15,30,60", "GATEPOST_SENDER_POLL_S": "0.5"},
    "notifier": {"GATEPOST_NOTIFIER_RETRY_DELAYS_S": "1,2,4,8,15,30,60"},
    "gatekeeper": {"GATEPOST_GATEKEEPER_SWEEP_S": "2"},
}


def service_environment(plan: Plan, service: str) -> dict[str, str]:
    """The whole environment of one service: the dev profile, what the user set for it, its own addresses and secrets."""
    own = {
        "GATEPOST_ENV": "dev",
        "GATEPOST_NATS_URL": plan.nats_url(service),
        "GATEPOST_DATABASE_URL": plan.database_url(service),
        "GATEPOST_PUBLIC_URL": plan.http_url,
        "GATEPOST_KEYS_DIR": str(plan.data / "keys" / service),
        "GATEPOST_HEALTH_HOST": "127.0.0.1",
        "GATEPOST_HEALTH_PORT": str(plan.ports.health[service]),
        "GATEPOST_ACK_WAIT_S": plan.inherited.get("GATEPOST_ACK_WAIT_S", "10"),
    }
    return DEV_PROFILE.get(service, {}) | _inherited(plan, service) | own | _addresses(plan, service)


def _inherited(plan: Plan, service: str) -> dict[str, str]:
    """What the user set: everything shared, and of the services' settings only this one's."""
    others = tuple(f"GATEPOST_{name.upper()}_" for name in SERVICES if name != service)
    return {k: v for k, v in plan.inherited.items() if not k.startswith(others)}


def _addresses(plan: Plan, service: str) -> dict[str, str]:
    match service:
        case "ingest":
            return {"GATEPOST_INGEST_HOST": plan.host, "GATEPOST_INGEST_PORT": str(plan.ports.smtp)}
        case "api":
            return {"GATEPOST_API_HOST": plan.host, "GATEPOST_API_PORT": str(plan.ports.http)}
        case "drafter":
            return {"GATEPOST_DRAFTER_PROVIDER": plan.provider}
        case "sender":
            host, port = plan.relay
            return {
                "GATEPOST_SENDER_RELAY_HOST": host,
                "GATEPOST_SENDER_RELAY_PORT": str(port),
                "GATEPOST_SENDER_DKIM_RECORDS_FILE": str(plan.dkim_records),
            }
    return {}
