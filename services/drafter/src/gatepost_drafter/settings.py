"""What an operator may set for the drafter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_MODELS = {"scripted": "scripted", "anthropic": "claude-sonnet-5-5", "openai": "gpt-5-mini"}


class DrafterSettings(BaseSettings):
    """Read from GATEPOST_DRAFTER_*. A wrong value stops the start, not the third message."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_DRAFTER_", frozen=True)

    provider: Literal["auto", "scripted", "anthropic", "openai"] = Field(
        "auto",
        description="Who writes the drafts. auto: anthropic when a key is set, else scripted, which needs no network.",
    )
    model: str = Field("", description="The model's name; empty: the provider's usual one.")
    base_url: str | None = Field(
        None, description="Another address of the model's API; openai needs it for local servers."
    )
    api_key: SecretStr | None = Field(None, description="The model's key. Never logged.")
    api_key_file: Path | None = Field(None, description="A file with the model's key; wins over api_key.")
    max_tokens: int = Field(4096, ge=64, description="Longest answer of the model; a longer one is cut and so fails.")
    attempts: int = Field(3, ge=1, le=10, description="Calls for one draft before a person is shown the failure.")
    deadline_s: float = Field(120, gt=0, description="Time for all calls of one draft together.")
    call_timeout_s: float = Field(60, gt=0, description="Time for one call.")
    first_retry_s: float = Field(1, gt=0, description="Pause before the second call; it doubles.")
    workers: int = Field(16, ge=2, description="Drafts that one sweep writes at a time.")
    passages: int = Field(8, ge=0, le=50, description="Pieces of knowledge given with one mail.")
    least_rank: float = Field(0.01, ge=0, description="Knowledge that the search ranks lower is left out.")
    turns: int = Field(30, ge=1, description="Newest mails of a thread that are given.")
    sweep_s: float = Field(5, gt=0, description="How often mail without a draft is looked for.")
    sweep_after_s: float = Field(10, ge=0, description="Mail whose event did not come is drafted after this long.")
    sweep_back_s: float = Field(172_800, gt=0, description="Older mail is left to people.")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.provider == "anthropic" and self.key is None:
            raise ValueError("the provider anthropic needs GATEPOST_DRAFTER_API_KEY or GATEPOST_DRAFTER_API_KEY_FILE")
        if self.provider == "openai" and not self.base_url and self.key is None:
            raise ValueError("the provider openai needs GATEPOST_DRAFTER_BASE_URL or a key")
        return self

    @property
    def key(self) -> str | None:
        """The model's key, from the file or the setting."""
        if self.api_key_file is not None and self.api_key_file.exists():
            return self.api_key_file.read_text("utf-8").strip() or None
        return (self.api_key.get_secret_value().strip() or None) if self.api_key else None

    @property
    def chosen(self) -> str:
        """The provider, with `auto` decided."""
        if self.provider != "auto":
            return self.provider
        return "anthropic" if self.key else "scripted"

    @property
    def chosen_model(self) -> str:
        """The model, with the usual one filled in."""
        return self.model or DEFAULT_MODELS[self.chosen]
