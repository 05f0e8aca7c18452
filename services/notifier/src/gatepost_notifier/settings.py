"""What an operator may set for the notifier."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class NotifierSettings(BaseSettings):
    """Read from GATEPOST_NOTIFIER_*. A wrong value stops the start, not the third message."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_NOTIFIER_", frozen=True)

    retry_delays_s: Annotated[tuple[float, ...], NoDecode] = Field(
        (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000),
        description="Seconds between the attempts of one delivery, separated by commas; one more attempt than delays.",
    )
    timeout_s: float = Field(15, gt=0, description="An endpoint that has not answered by then has failed this attempt.")
    per_endpoint: int = Field(8, ge=1, description="Deliveries to one endpoint at a time.")
    in_flight: int = Field(256, ge=1, description="Deliveries to all endpoints at a time.")
    poll_s: float = Field(0.5, gt=0, description="How often the table is looked at for what is due.")
    disable_after_s: float = Field(432_000, gt=0, description="An endpoint that only failed for this long is disabled.")
    breaker_failures: int = Field(20, ge=1, description="Failures in a row after which an endpoint is only probed.")
    breaker_pause_s: float = Field(30, gt=0, description="Time to the first probe of such an endpoint; then doubled.")
    breaker_longest_s: float = Field(300, gt=0, description="No probe is further away than this.")
    reply_bytes: int = Field(65_536, ge=0, description="How much of an endpoint's reply is read.")
    workers: int = Field(32, ge=2, description="Events turned into deliveries at a time.")

    @field_validator("retry_delays_s", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("retry_delays_s")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(delay <= 0 for delay in value):
            raise ValueError("every delay is a positive number of seconds")
        return value
