"""What an operator may set for the sender."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gatepost_sender.driver import Timeouts
from gatepost_sender.pace import Rates
from gatepost_sender.tls import Tls, TlsPolicies

_DAY = 86_400
_HOUR = 3_600


class SenderSettings(BaseSettings):
    """Read from GATEPOST_SENDER_*. A wrong value stops the start, not the third message."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_SENDER_", frozen=True, extra="ignore")

    relay_host: str | None = Field(
        None,
        description="Send everything through this host; empty: deliver to the MX. "
        "A comma list of host or host:port: the first that can be reached.",
    )
    relay_port: int = Field(25, gt=0, le=65_535, description="Port of relays that name none.")
    relay_tls: Tls | None = Field(
        None,
        description="What the relay must offer: off, offered, required or verified. "
        "Unset: verified; offered on loopback and in the dev environment.",
    )
    relay_user: str | None = Field(None, description="Name to log in with at the relay.")
    relay_password: str | None = Field(None, repr=False, description="Its password. Also read from ..._FILE.")
    relay_password_file: Path | None = Field(None, description="File that holds the relay's password.")
    ca_file: str | None = Field(None, description="Certificates to trust for verified TLS; unset: the system's.")
    mx_tls: Tls = Field(Tls.OFFERED, description="What a recipient's MX must offer: off, offered, required, verified.")
    mx_port: int = Field(25, gt=0, le=65_535, description="Port of the recipients' MX hosts.")
    mx_allow_private: bool = Field(
        False, description="Connect to exchangers with private addresses too. On in the dev environment."
    )
    mta_sts: bool = Field(True, description="Look up and obey recipients' MTA-STS policies (RFC 8461).")
    tls_policies: str = Field(
        "",
        description="Comma list for single destinations, first match: example.org=verified, *.example.org=required.",
    )
    dns_servers: str = Field("", description="Comma list of address or address:port; empty: the system's resolver.")
    dns_validates: bool = Field(
        False, description="The resolver validates DNSSEC and the way to it is safe: its word for it makes DANE count."
    )
    ip_order: Annotated[tuple[int, ...], NoDecode] = Field(
        (4, 6), description="Comma list of 4 and 6: which kinds of addresses are used, the preferred one first."
    )
    source_addresses: str = Field(
        "", description="Comma list: connect from this IPv4 and this IPv6 address; empty: the system chooses."
    )
    dsn_notify: str = Field(
        "SUCCESS,FAILURE",
        pattern="^(NEVER|(SUCCESS|FAILURE|DELAY)(,(SUCCESS|FAILURE|DELAY))*)?$",
        description="Delivery reports to ask for where the next hop offers DSN (RFC 3461); empty: ask for none.",
    )
    helo: str = Field("", description="Our name in EHLO; empty: the host of GATEPOST_PUBLIC_URL.")

    retry_delays_s: Annotated[tuple[float, ...], NoDecode] = Field(
        (60, 300, 900, 1800, _HOUR, 2 * _HOUR, 4 * _HOUR),
        description="Comma list: seconds before the second attempt, the third and so on; the last one repeats.",
    )
    greylist_delay_s: float = Field(
        320, gt=0, description="A greylisted mail is tried again after this long, the first three times."
    )
    destination_rates: str = Field(
        "",
        description="Comma list of mails a minute to a destination, first match: gmail.com=60, *=600. By each sender.",
    )
    queue_life_s: float = Field(5 * _DAY, gt=0, description="A mail that could not be handed over this long bounces.")
    poll_s: float = Field(1, gt=0, description="How often the queue is looked at when no event says so.")
    lease_s: float = Field(15, ge=2, description="A claimed mail whose sender is not heard of this long is taken over.")
    attempts_at_once: int = Field(100, ge=1, description="Attempts of this process at a time.")
    attempts_per_destination: int = Field(20, ge=1, description="Attempts at a time to one destination, at most.")
    connection_idle_s: float = Field(20, ge=0, description="A kept connection is left after this long without a mail.")
    mails_per_connection: int = Field(100, ge=1, description="Mails over one connection before a new one is made.")
    stop_s: float = Field(20, ge=0, description="On stop, running attempts may take this long to end.")

    connect_timeout_s: float = Field(30, gt=0, description="Give up on one host after this long.")
    greeting_timeout_s: float = Field(300, gt=0, description="How long a server may take to greet.")
    command_timeout_s: float = Field(300, gt=0, description="How long EHLO, STARTTLS, AUTH, MAIL and RCPT may take.")
    data_timeout_s: float = Field(120, gt=0, description="How long the answer to DATA may take.")
    block_timeout_s: float = Field(180, gt=0, description="How long 64 KiB of a mail may take.")
    dot_timeout_s: float = Field(600, gt=0, description="How long the answer to the final dot may take.")

    spf: str = Field(
        "", description="What SPF records should name, e.g. include:relay.example; empty: a:<our EHLO name>."
    )
    test_sink: str = Field(
        "", description="host:port of the catcher for mail of test keys; empty: such mail is kept and goes nowhere."
    )
    dkim_records_file: Path | None = Field(
        None, description="Write the public DKIM records there as JSON, for the mail catcher."
    )

    @field_validator("ip_order", mode="before")
    @classmethod
    def _families(cls, value: Any) -> Any:
        found = tuple(int(part) for part in value.split(",")) if isinstance(value, str) else tuple(value)
        if not found or set(found) - {4, 6}:
            raise ValueError("must name 4, 6 or both")
        return found

    @field_validator(
        "tls_policies", "dns_servers", "relay_host", "test_sink", "source_addresses", "destination_rates", mode="after"
    )
    @classmethod
    def _readable(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Read once at the start, so that a wrong word stops it."""
        if value and info.field_name == "tls_policies":
            policies_of(value)
        elif value and info.field_name == "destination_rates":
            Rates.parse(value)
        elif value and info.field_name == "source_addresses":
            for part in value.split(","):
                ipaddress.ip_address(part.strip())
        elif value:
            hosts_of(value, 25)
        return value

    @field_validator("retry_delays_s", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(float(part) for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("retry_delays_s")
    @classmethod
    def _some(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or min(value) <= 0:
            raise ValueError("must name at least one delay, all above zero")
        return value

    @field_validator("relay_host", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return value or None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.relay_user and not (self.relay_password or self.relay_password_file):
            raise ValueError("GATEPOST_SENDER_RELAY_USER needs GATEPOST_SENDER_RELAY_PASSWORD or ..._FILE")
        if self.relay_password_file and not self.relay_password_file.is_file():
            raise ValueError(f"GATEPOST_SENDER_RELAY_PASSWORD_FILE: {self.relay_password_file} cannot be read")
        return self

    @property
    def relays(self) -> tuple[tuple[str, int], ...]:
        """The smart hosts in their order; none: deliver to the MX."""
        return hosts_of(self.relay_host or "", self.relay_port)

    @property
    def resolvers(self) -> tuple[tuple[str, int], ...]:
        """The DNS servers; none: the system's."""
        return hosts_of(self.dns_servers, 53)

    @property
    def test_catcher(self) -> tuple[str, int] | None:
        """Where mail of test keys goes; None: nowhere."""
        return next(iter(hosts_of(self.test_sink, 25)), None)

    @property
    def sources(self) -> tuple[str, ...]:
        """Our addresses to connect from."""
        return tuple(part.strip() for part in self.source_addresses.split(",") if part.strip())

    @property
    def password(self) -> str | None:
        """The relay's password, from wherever it was given."""
        if self.relay_password_file:
            return self.relay_password_file.read_text(encoding="utf-8").strip()
        return self.relay_password

    @property
    def timeouts(self) -> Timeouts:
        """How long each stage may take."""
        return Timeouts(
            self.connect_timeout_s, self.greeting_timeout_s, self.command_timeout_s,
            self.data_timeout_s, self.block_timeout_s, self.dot_timeout_s,
        )  # fmt: skip


def hosts_of(text: str, port: int) -> tuple[tuple[str, int], ...]:
    """`a.example:587, b.example, [::1]:25`; raises ValueError for what is no host."""
    found = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        host, number = part, str(port)
        if part.startswith("["):
            host, _, rest = part[1:].partition("]")
            number = rest.removeprefix(":") or number
        elif part.count(":") == 1:
            host, _, number = part.partition(":")
        if not host or not number.isdecimal() or not 0 < int(number) < 65_536:
            raise ValueError(f"not a host or host:port: {part!r}")
        found.append((host, int(number)))
    return tuple(found)


def policies_of(text: str) -> TlsPolicies:
    """`example.org=verified, *.example.org=required`; raises ValueError."""
    rules = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        domain, mark, word = part.partition("=")
        word = word.strip().lower()
        if not mark or not domain.strip() or word not in {"off", "offered", "required", "verified"}:
            raise ValueError(f"not domain=off, offered, required or verified: {part!r}")
        rules.append((domain.strip().lower(), Tls(word)))
    return TlsPolicies(tuple(rules))
