"""What an operator may set for ingest."""

from __future__ import annotations

import ipaddress
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatepost_ingest.trace import Network


class IngestSettings(BaseSettings):
    """Read from GATEPOST_INGEST_*. A wrong value stops the start, not the third message."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_INGEST_", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on for SMTP.")
    port: int = Field(2525, ge=0, le=65535, description="Port to listen on; 0: any free one.")
    hostname: str = Field("localhost", min_length=1, description="Our name in the greeting.")
    max_size: int = Field(26_214_400, ge=1024, description="Bytes of one mail; a mailbox may allow less.")
    max_recipients: int = Field(100, ge=1, description="Recipients of one mail; more are asked to come later (452).")
    max_connections: int = Field(500, ge=1, description="Peers connected at a time (421 beyond).")
    max_connections_per_address: int = Field(50, ge=1, description="Of these, from one address.")
    idle_s: float = Field(60, gt=0, description="A peer that says nothing for this long is let go.")
    data_s: float = Field(600, gt=0, description="Time for one whole mail.")
    store_s: float = Field(30, gt=0, description="Time to store a mail before the peer is asked to come back (451).")
    stores_per_mailbox: int = Field(
        16, ge=1, description="Mails of one mailbox stored at a time; the rest wait their turn."
    )
    lookup_cache_s: float = Field(1, ge=0, description="How long an answer about a recipient is kept.")
    parse_threads: int = Field(2, ge=1, description="Mails read at a time.")
    parse_s: float = Field(10, gt=0, description="Time to read one mail; beyond it is kept aside unread.")
    authenticate: bool = Field(True, description="Check SPF, DKIM, ARC and DMARC of what comes in.")
    authenticate_s: float = Field(10, gt=0, description="Time for these checks of one mail; beyond it: temperror.")
    dmarc_reject: bool = Field(
        True, description="Refuse (550) what fails DMARC where the author's domain asks for it and nothing excuses it."
    )
    dns_servers: tuple[str, ...] = Field(
        (), description='DNS servers to ask, as `["192.0.2.53"]`, with a port where it is not 53; empty: the system\'s.'
    )
    dns_timeout_s: float = Field(4, gt=0, description="Time for one question to DNS; beyond it: temperror.")
    dns_questions: int = Field(200, ge=1, description="Questions to DNS that are open at a time.")
    grace_s: float = Field(20, ge=0, description="Time to finish mails under way when stopping.")
    tls_cert_file: Path | None = Field(None, description="Certificate chain for STARTTLS, PEM.")
    tls_key_file: Path | None = Field(None, description="Its private key, PEM.")

    balancers: str = Field(
        "",
        description="Networks, comma separated, of load balancers: their connections must begin with a PROXY header.",
    )
    relays: str = Field(
        "", description="Networks, comma separated, of relays of yours: their Received lines tell who the peer is."
    )
    relays_file: Path | None = Field(
        None, description="File with `name secret` lines: relays that may sign in, over TLS and at the HTTP door."
    )

    http_host: str = Field("127.0.0.1", description="Address to listen on for posted mail.")
    http_port: int | None = Field(
        None, ge=0, le=65535, description="Port for posted mail (POST /inbound); needs RELAYS_FILE. Empty: none."
    )
    rspamd_url: str = Field("", description="rspamd worker that judges mail, e.g. http://127.0.0.1:11333; empty: none.")
    rspamd_password: SecretStr = Field(SecretStr(""), description="Its password, where it asks for one.")
    rspamd_password_file: Path | None = Field(None, description="File that holds it.")
    rspamd_s: float = Field(5, gt=0, description="Time to wait for it; then the mail is taken unjudged, and flagged.")
    rspamd_questions: int = Field(20, ge=1, description="Mails that it is asked about at a time.")
    imap_file: Path | None = Field(None, description="TOML file with the IMAP accounts to read, see docs/mail-in.md.")

    @property
    def balancer_networks(self) -> tuple[Network, ...]:
        """Whose connections begin with a PROXY header."""
        return _networks(self.balancers)

    @property
    def relay_networks(self) -> tuple[Network, ...]:
        """Whose Received lines are believed."""
        return _networks(self.relays)

    @model_validator(mode="before")
    @classmethod
    def _read_password(cls, values: Any) -> Any:
        if isinstance(values, dict) and (file := values.get("rspamd_password_file")):
            try:
                return {**values, "rspamd_password": Path(str(file)).read_text(encoding="utf-8").strip()}
            except OSError as error:
                raise ValueError(f"GATEPOST_INGEST_RSPAMD_PASSWORD_FILE: {file}: {error.strerror}") from None
        return values

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("STARTTLS needs both GATEPOST_INGEST_TLS_CERT_FILE and GATEPOST_INGEST_TLS_KEY_FILE")
        if self.http_port is not None and self.relays_file is None:
            raise ValueError("GATEPOST_INGEST_HTTP_PORT needs GATEPOST_INGEST_RELAYS_FILE: who may post")
        for name, value in (("BALANCERS", self.balancers), ("RELAYS", self.relays)):
            try:
                _networks(value)
            except ValueError:
                raise ValueError(f"GATEPOST_INGEST_{name} is a list of networks like 10.0.0.0/8, 192.0.2.7") from None
        return self


@cache
def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word.strip()) for word in text.split(",") if word.strip())
