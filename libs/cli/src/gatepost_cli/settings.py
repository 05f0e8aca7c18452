"""Where the command finds a running Gatepost: read from the environment, a flag wins."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CliSettings(BaseSettings):
    """Read from GATEPOST_*."""

    model_config = SettingsConfigDict(env_prefix="GATEPOST_", frozen=True, extra="ignore")

    data: Path = Field(Path("data"), description="Folder of a local installation made by `gatepost up`.")
    url: str | None = Field(None, description="Base URL of the API; else that of the local installation.")
    api_key: str | None = Field(None, description="Key to call the API with; else one of the local installation's.")
    oversight_key: str | None = Field(None, description="A person's key that `gatepost mcp` decides with.")
    mailbox_id: str | None = Field(None, description="The mailbox that `gatepost mcp` is about when a call names none.")
    nats_url: str | None = Field(None, description="NATS server with an operator's user.")
    inbound_url: str | None = Field(None, description="Ingest's HTTP door, for `gatepost import`.")
    inbound_secret: str | None = Field(None, repr=False, description="The secret of a relay that may post there.")
    database_url: str | None = Field(None, description="Postgres with the owner's role.")


def inherited_environment() -> dict[str, str]:
    """What child processes keep of our environment: paths, locale and our own settings, nothing else."""
    import os

    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV")
    return {k: v for k, v in os.environ.items() if k in kept or k.startswith("GATEPOST_")}


def editor_command() -> str | None:
    """The person's editor, as every terminal program finds it."""
    import os

    return os.environ.get("VISUAL") or os.environ.get("EDITOR")
