"""What every service is told by its environment. The one place of this package that reads it.

A service's own settings are a class beside this one in its `settings.py`, with the prefix GATEPOST_<SERVICE>_.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Self, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gatepost_runtime.targets import Targets

S = TypeVar("S", bound=BaseSettings)
_FROM_FILES = ("nats_url", "database_url")


class RuntimeSettings(BaseSettings):
    """Read from GATEPOST_*. A wrong value stops the start, not the third message."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_", frozen=True, extra="ignore")

    env: Literal["dev", "production"] = Field("production", description="`dev` allows what is unsafe in production.")
    nats_url: str = Field(description="NATS server with this service's own user. Also read from ..._FILE.", repr=False)
    nats_url_file: Path | None = Field(None, description="File that holds the NATS URL.")
    database_url: str = Field(description="Postgres with this service's own role. Also read from ..._FILE.", repr=False)
    database_url_file: Path | None = Field(None, description="File that holds the database URL.")
    public_url: str = Field("http://127.0.0.1:8080", description="How people and webhooks' readers reach the API.")
    keys_dir: Path | None = Field(None, description="Folder with this service's own key files. Never logged.")
    health_host: str = Field("127.0.0.1", description="Address of /livez, /readyz and /metrics.")
    health_port: int = Field(9000, ge=0, le=65_535, description="Port of /livez, /readyz and /metrics; 0: a free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lines below it are left out.")
    ack_wait_s: float = Field(30, gt=0, description="After how long a killed worker's event comes back.")
    first_retry_s: float = Field(1, gt=0, description="Delay of the first retry; each further one is twice as long.")
    max_retry_s: float = Field(300, gt=0, description="No retry is delayed longer than this.")
    graceful_timeout_s: float = Field(25, gt=0, description="How long a stop waits for what is running.")
    command_timeout_s: float = Field(5, gt=0, description="How long a command's answer is waited for.")
    webhook_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Private networks that webhooks may go to, separated by commas, e.g. 10.1.0.0/16; http too, any port.",
    )
    otlp_url: str | None = Field(
        None, description="Where traces go, by OTLP over HTTP, e.g. http://127.0.0.1:4318/v1/traces; empty: nowhere."
    )
    trace_ratio: float = Field(1, ge=0, le=1, description="Share of the conversations whose traces are kept.")

    @field_validator("webhook_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, values: Any) -> Any:
        """X_FILE stands for X; both at once is a mistake."""
        values = dict(values)
        for name in _FROM_FILES:
            if file := values.get(f"{name}_file"):
                if values.get(name):
                    raise ValueError(f"GATEPOST_{name.upper()} and GATEPOST_{name.upper()}_FILE are both set")
                try:
                    values[name] = Path(file).read_text(encoding="utf-8").strip()
                except OSError as error:
                    raise ValueError(f"GATEPOST_{name.upper()}_FILE: {file}: {error.strerror}") from None
        return values

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, schemes in (("nats_url", ("nats", "tls")), ("database_url", ("postgresql", "postgres"))):
            if str(getattr(self, name)).partition("://")[0] not in schemes:
                raise ValueError(f"GATEPOST_{name.upper()} must begin with {schemes[0]}://")
        try:
            Targets(self.webhook_networks)
        except ValueError as error:
            raise ValueError(f"GATEPOST_WEBHOOK_NETWORKS: {error}") from None
        if self.otlp_url is not None and not self.otlp_url.startswith(("http://", "https://")):
            raise ValueError("GATEPOST_OTLP_URL must begin with http:// or https://")
        if not self.public_url.startswith(("http://", "https://")):
            raise ValueError("GATEPOST_PUBLIC_URL must begin with http:// or https://")
        if self.env == "production" and self.keys_dir is None:
            raise ValueError("GATEPOST_KEYS_DIR must be set in production")
        if self.env == "production" and not self.public_url.startswith("https://"):
            raise ValueError("GATEPOST_PUBLIC_URL must be the https:// address of the API in production")
        return self

    @property
    def is_dev(self) -> bool:
        """True on a developer's machine."""
        return self.env == "dev"

    @property
    def targets(self) -> Targets:
        """Where webhooks may go."""
        return Targets(self.webhook_networks, is_dev=self.is_dev)


class StreamSettings(BaseSettings):
    """Read from GATEPOST_STREAMS_* by `gatepost streams apply`."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_STREAMS_", frozen=True, extra="ignore")

    replicas: int = Field(1, ge=1, le=5, description="Copies of each stream; 3 on a cluster.")
    events_days: int = Field(30, ge=1, description="How long events are kept for replay.")
    dead_days: int = Field(365, ge=1, description="How long dead letters are kept.")
    ack_wait_s: float = Field(
        30,
        gt=0,
        validation_alias="GATEPOST_ACK_WAIT_S",
        description="After how long a killed worker's event comes back.",
    )


def read(settings: type[S]) -> S:
    """The settings from the environment, or the end of the process with one clear line and status 2."""
    try:
        return settings()
    except ValidationError as error:
        refuse(error, settings)


def own_settings(service: str) -> Iterator[type[BaseSettings]]:
    """The settings classes of a service's own `settings` module."""
    module = f"gatepost_{service}.settings"
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name in {module, f"gatepost_{service}"}:
            return
        raise
    for value in vars(found).values():
        if isinstance(value, type) and issubclass(value, BaseSettings) and value.__module__ == module:
            yield value


def refuse(error: ValidationError, settings: type[BaseSettings]) -> NoReturn:
    """Say which variable is wrong, without its value, and end with status 2."""
    sys.stderr.write(f"settings: {explain(error, settings)}\n")
    sys.exit(2)


def explain(error: ValidationError, settings: type[BaseSettings]) -> str:
    """One line that names every variable that is wrong."""
    prefix = settings.model_config.get("env_prefix", "")
    told = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in problem["loc"])
        words = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            words = "is not set"
        if not name:
            told.append(words)
        else:
            variable = name if name.startswith("GATEPOST_") else f"{prefix}{name}".upper()
            told.append(f"{variable}: {words}")
    return "; ".join(told)
