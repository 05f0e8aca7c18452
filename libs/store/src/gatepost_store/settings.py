"""What an operator may set for the database side of every service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class StoreSettings(BaseSettings):
    """Read from GATEPOST_STORE_*. A wrong value stops the start, not the third message."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_STORE_", frozen=True)

    readers: int = Field(4, ge=1, description="Connections for reading.")
    writers: int = Field(2, ge=1, description="Connections for writing beside the one of the group commit.")
    command_timeout_s: float = Field(30, gt=0, description="A statement that takes longer is given up.")
    lock_timeout_s: float = Field(
        5, gt=0, description="A step that waits longer for its mail is tried alone, then given back."
    )
    connect_timeout_s: float = Field(5, gt=0, description="Give up on a connection after this long.")
    batch_units: int = Field(50, ge=1, description="Steps committed together.")
    batch_bytes: int = Field(1_000_000, ge=1, description="Bytes of steps committed together; one may be larger alone.")
    flush_s: float = Field(
        0.2, gt=0, description="Published events leave the outbox after this pause when nothing else is written."
    )
    sweep_s: float = Field(2, gt=0, description="How often the outbox is looked through for what a crash left.")
    sweep_age_s: float = Field(5, gt=0, description="Events younger than this are left to the writer that made them.")
    statement_cache: int = Field(
        200, ge=0, description="Prepared statements kept per connection; 0 behind PgBouncer in transaction mode."
    )

    objects_url: str | None = Field(
        None,
        description="Where large contents stand instead of Postgres: s3://, gs:// or az://, with bucket and prefix.",
    )
    objects_options: SecretStr | None = Field(
        None,
        description="The provider's options as a JSON object: endpoint, region, access_key_id, secret_access_key ...",
    )
    objects_options_file: Path | None = Field(None, description="A file that holds those options.")
    objects_over_bytes: int = Field(262_144, ge=1, description="Contents larger than this go to the object store.")
    objects_timeout_s: float = Field(
        20, gt=0, description="A request to the object store that takes longer is given up."
    )

    def objects_options_text(self) -> str | None:
        """The options, wherever they stand."""
        if self.objects_options is not None:
            return self.objects_options.get_secret_value()
        return self.objects_options_file.read_text(encoding="utf-8") if self.objects_options_file else None


class MigrateSettings(BaseSettings):
    """The database to bring up to date: GATEPOST_DATABASE_URL, or a file that holds it."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_", frozen=True)

    database_url: SecretStr | None = Field(None, description="The owner's URL of the database.")
    database_url_file: Path | None = Field(None, description="A file that holds that URL.")

    def database_url_text(self) -> str | None:
        """The URL, wherever it stands."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return self.database_url_file.read_text(encoding="utf-8").strip() if self.database_url_file else None
