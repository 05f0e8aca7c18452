"""Which processes an installation is made of, and what each of them is told.

Every service gets its own database role's URL, its own NATS user and its own folder of keys, and nothing of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gatepost_embedded.nats import Nats
from gatepost_embedded.postgres import Postgres

SERVICES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")


@dataclass(frozen=True)
class Plan:
    """What `gatepost up` was asked for, and the servers it runs; their ports are known once they were started."""

    data: Path
    host: str
    http_port: int
    smtp_port: int
    inbound_port: int
    health_ports: dict[str, int]
    relay: tuple[str, int]
    provider: str
    passwords: dict[str, str]
    nats: Nats
    postgres: Postgres
    inherited: dict[str, str] = field(default_factory=dict)

    @property
    def http_url(self) -> str:
        """Where clients reach the API."""
        return f"http://{self.host}:{self.http_port}"

    @property
    def inbound_url(self) -> str:
        """Where raw mail may be posted."""
        return f"http://127.0.0.1:{self.inbound_port}/inbound"

    def nats_url(self, user: str) -> str:
        """The broker, as this user."""
        return self.nats.url(user, self.passwords[user])

    def database_url(self, service: str) -> str:
        """The database, as this service's role."""
        return self.postgres.url(f"gp_{service}", self.passwords[service])

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
    """The whole environment of one service: the dev profile, the user's settings for it, its own secrets."""
    own = {
        "GATEPOST_ENV": "dev",
        "GATEPOST_NATS_URL": plan.nats_url(service),
        "GATEPOST_DATABASE_URL": plan.database_url(service),
        "GATEPOST_PUBLIC_URL": plan.http_url,
        "GATEPOST_KEYS_DIR": str(plan.data / "keys" / service),
        "GATEPOST_HEALTH_HOST": "127.0.0.1",
        "GATEPOST_HEALTH_PORT": str(plan.health_ports[service]),
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
            return {
                "GATEPOST_INGEST_HOST": plan.host,
                "GATEPOST_INGEST_PORT": str(plan.smtp_port),
                "GATEPOST_INGEST_HTTP_PORT": str(plan.inbound_port),
                "GATEPOST_INGEST_RELAYS_FILE": plan.inherited.get(
                    "GATEPOST_INGEST_RELAYS_FILE", str(plan.data / "relays")
                ),
            }
        case "api":
            return {"GATEPOST_API_HOST": plan.host, "GATEPOST_API_PORT": str(plan.http_port)}
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
