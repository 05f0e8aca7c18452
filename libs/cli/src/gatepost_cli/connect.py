"""How a command reaches an installation: a flag or the environment first, else the local ready file."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from gatepost_cli.ready import maybe_running, running
from gatepost_cli.settings import CliSettings
from gatepost_client import Gatepost, MultimailClient, MultiMailError


def is_local(url: str) -> bool:
    """Is it this machine? Then no proxy stands between."""
    return urllib.parse.urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def api(key: str, data: Path | None = None) -> MultimailClient:
    """A client of the API's short names with the key of that name, or GATEPOST_API_KEY."""
    url, token = where(key, data)
    return MultimailClient(token, base_url=url)


@contextmanager
def rest(key: str, data: Path | None = None) -> Iterator[Gatepost]:
    """A client of the whole API; a refusal is told in its own words and ends the command."""
    url, token = where(key, data)
    with Gatepost(token, base_url=url) as client:
        try:
            yield client
        except MultiMailError as refusal:
            typer.secho(str(refusal), err=True, fg="red")
            raise typer.Exit(1) from None


def where(key: str, data: Path | None) -> tuple[str, str]:
    """The API's address, and the key of that name or GATEPOST_API_KEY."""
    settings = CliSettings()
    local = maybe_running(data)
    if settings.url is None and local is None:
        running(data)
    url = settings.url or (local or {})["http_url"]
    token = settings.api_key or (local or {}).get("keys", {}).get(key)
    if not token:
        typer.secho(f"No key: set GATEPOST_API_KEY to a key with the rights of '{key}'.", err=True)
        raise typer.Exit(2)
    return url, token


def ask(
    key: str, data: Path | None, method: str, path: str, body: Mapping[str, Any] | None = None, **params: Any
) -> dict[str, Any]:
    """One call with the key of that name; a refusal is told in its own words and ends the command."""
    with api(key, data) as client:
        try:
            return dict(client.call(method, path, body, **params))
        except MultiMailError as refusal:
            typer.secho(str(refusal), err=True, fg="red")
            raise typer.Exit(1) from None


def nats_url(data: Path | None = None) -> str:
    """The operator's NATS URL."""
    return CliSettings().nats_url or str(running(data)["nats_url"])


def database_url(data: Path | None = None) -> str:
    """The owner's Postgres URL."""
    return CliSettings().database_url or str(running(data)["database_url"])
