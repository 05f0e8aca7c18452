"""What an operator may set for the gatekeeper."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatekeeperSettings(BaseSettings):
    """Read from GATEPOST_GATEKEEPER_*. A wrong value stops the start, not the third message."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_GATEKEEPER_", frozen=True)

    sweep_s: float = Field(15, gt=0, description="How often what is overdue, stuck or no longer allowed is looked for.")
    stuck_after_s: float = Field(5, ge=0, description="A draft whose event did not come is judged after this long.")
    hourly_limit: int | None = Field(
        None, ge=0, description="Mails one mailbox may send in an hour before they are held; 0: no limit. "
        "Unset: 1000, and no limit in the dev environment.",
    )  # fmt: skip
    loop_limit: int = Field(
        10, ge=1, description="Answers on one thread in an hour after which a further one is held as a possible loop."
    )
    correspondent_limit: int = Field(
        20, ge=1, description="Mails to one address in an hour, on any thread, after which an answer to it is held."
    )
    sample_rate: float = Field(
        0.05, ge=0.01, le=1, description="Share of every category and mailbox that a person loosened which is still looked at, for ever.",
    )  # fmt: skip
    digest_after_s: int = Field(
        14_400, ge=0, description="Once something has waited this long, the oversight address is told, once a day; 0: never.",
    )  # fmt: skip
    queue_life_s: int = Field(432_000, gt=0, description="How long a released mail may be tried: its grant ends then.")
    workers: int = Field(64, ge=2, description="Events of one kind handled at a time.")
    audit_interval_s: float = Field(0.25, gt=0, description="How often records are given their place in the log.")
    retain_mail_days: int | None = Field(
        None, ge=1, description="Ended mails lose their content after this many days; unset: never. Their records stay."
    )
    retain_webhook_days: int | None = Field(
        None, ge=1, description="Webhook deliveries lose their bodies after this many days; unset: never."
    )
    retain_words_days: int | None = Field(
        None, ge=1, description="What people wrote about pauses and modes goes after this many days; unset: never."
    )
    auditor_s: float = Field(5, gt=0, description="How often the live auditor looks when it has caught up.")
    auditor_mails: int = Field(100, ge=1, description="Mails it compares at each look in its rounds over all of them.")
    checkpoint_s: float = Field(5, ge=0, description="A checkpoint of the log is signed at most this often.")
