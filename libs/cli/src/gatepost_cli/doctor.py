"""`gatepost doctor`: what is usually set up wrongly, looked at one by one, each with how to mend it."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any

import dns.asyncresolver
import dns.exception
import httpx2
import typer

from gatepost_cli.connect import database_url, is_local, nats_url, where
from gatepost_cli.owner import owner_store
from gatepost_cli.ready import maybe_running
from gatepost_cli.settings import CliSettings
from gatepost_runtime.streams import check as check_streams
from gatepost_store import Queries
from gatepost_store.migrate import files

SKEW_S, CERTIFICATE_S, _PORT_S = 30, 14 * 86_400, 5
SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")
_RESERVED = (".test", ".example", ".invalid", ".localhost", ".local")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `ok` is None where it could not be looked at."""

    name: str
    ok: bool | None
    found: str
    mend: str = ""


def doctor(
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for the usual misconfigurations and say how to mend each. Status 1 when something is wrong.

    Example: gatepost doctor --json
    """
    findings = asyncio.run(_all(data))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = {True: "ok ", False: "NO ", None: "?  "}[finding.ok]
            typer.echo(f"{mark} {finding.name}: {finding.found}")
            if finding.ok is False and finding.mend:
                typer.echo(f"      {finding.mend}")
    raise typer.Exit(1 if any(finding.ok is False for finding in findings) else 0)


async def _all(data: Path | None) -> list[Finding]:
    url, key = where("operator", data)
    checks: list[tuple[str, Callable[[], Awaitable[list[Finding]]]]] = [
        ("api", lambda: _api(url)), ("tls", lambda: _tls(url)), ("clock", lambda: _clock(url)),
        ("ports", lambda: _ports(data)),
        ("database", lambda: _database(database_url(data))), ("streams", lambda: _streams(nats_url(data))),
        ("keys", lambda: _keys(data)), ("account", lambda: _account(url, key)), ("dns", lambda: _dns(url, key)),
    ]  # fmt: skip
    return [finding for name, check in checks for finding in await _tried(name, check)]


async def _tried(name: str, check: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        return await check()
    except typer.Exit:
        raise
    except Exception as reason:
        return [Finding(name, None, f"could not be looked at: {type(reason).__name__}: {reason}")]


async def _get(url: str, path: str, key: str | None = None) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(timeout=10, headers=headers, trust_env=not is_local(url)) as http:
        return await http.get(url.rstrip("/") + path)


async def _api(url: str) -> list[Finding]:
    try:
        reply = await _get(url, "/health")
    except httpx2.HTTPError as reason:
        return [
            Finding(
                "api answers", False, f"{type(reason).__name__} at {url}", "Start gatepost-api, or set GATEPOST_URL."
            )
        ]
    mend = "Look at /readyz of each service: the first that is not ready says why."
    return [Finding("api answers", reply.status_code == 200, reply.text[:80], mend)]


async def _tls(url: str) -> list[Finding]:
    parts = urllib.parse.urlsplit(url)
    if parts.hostname in {"127.0.0.1", "localhost", "::1"}:
        return [Finding("tls", True, "loopback needs none")]
    if parts.scheme != "https":
        return [
            Finding(
                "tls",
                False,
                "keys travel in clear",
                "Put TLS in front and use its https address in GATEPOST_PUBLIC_URL.",
            )
        ]
    context = ssl.create_default_context()
    _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    certificate: Any = writer.get_extra_info("peercert")
    writer.close()
    left = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
    return [
        Finding("tls", left > CERTIFICATE_S, f"certificate for {left / 86_400:.0f} more days", "Renew the certificate.")
    ]


async def _clock(url: str) -> list[Finding]:
    told = (await _get(url, "/health")).headers.get("date")
    if not told:
        return [Finding("clock", None, "the service tells no time")]
    skew = abs(parsedate_to_datetime(told).timestamp() - time.time())
    return [
        Finding(
            "clock", skew < SKEW_S, f"{skew:.0f} s apart", "Run NTP on every machine: signatures and grants have times."
        )
    ]


async def _ports(data: Path | None) -> list[Finding]:
    """Does something that speaks SMTP take mail where senders will knock?"""
    smtp = (maybe_running(data) or {}).get("smtp")
    if smtp is None:
        return [Finding("smtp port", None, "no local installation names one")]
    name = f"{smtp['host']}:{smtp['port']}"
    mend = "Start gatepost-ingest, and let port 25 of the firewall through to it."
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(smtp["host"], int(smtp["port"])), _PORT_S)
        greeting = (await asyncio.wait_for(reader.readline(), _PORT_S)).decode("latin-1").strip()
        writer.close()
    except (OSError, TimeoutError) as reason:
        return [Finding("smtp port", False, f"{type(reason).__name__} at {name}", mend)]
    return [Finding("smtp port", greeting.startswith("220"), f"{name} says {greeting[:60]}", mend)]


async def _database(url: str) -> list[Finding]:
    found = []
    async with owner_store(url) as store, store.transaction() as connection:
        for name in SETTINGS:
            value = await connection.fetchval("SELECT current_setting($1)", name)
            mend = f"Set {name} = on: without it a 250 does not mean stored."
            found.append(Finding(f"postgres {name}", value not in {"off", "local"}, value, mend))
        known = await connection.fetchval("SELECT count(*) FROM schema_migration")
        wanted = len(files())
        found.append(Finding("schema", known >= wanted, f"{known} migrations applied", "Run `gatepost migrate`."))
        used = await connection.fetchval(
            "SELECT count(*)::float / current_setting('max_connections')::int FROM pg_stat_activity"
        )
        bounced = await connection.fetch(Queries.of("gatepost_cli")["notices_bounced"])
        told = ", ".join(
            f"{row['oversight_email']} ({row['code'] or 'no code'} {row['enhanced'] or ''})".strip() for row in bounced
        )
        mend = "PATCH /v1/account with an oversight_email that takes mail: the newest notice to this one bounced."
        found.append(Finding("notices arrive", not bounced, told or "none bounced", mend))
        found.append(Finding("connections", used < 0.8, f"{used:.0%} of max_connections", "Raise max_connections."))
    return found


async def _streams(url: str) -> list[Finding]:
    differs = await check_streams(url)
    return [Finding("streams", not differs, "; ".join(differs) or "as declared", "Run `gatepost streams apply`.")]


async def _keys(data: Path | None) -> list[Finding]:
    folder = (data or CliSettings().data) / "keys"
    if not folder.is_dir():
        return [Finding("keys", None, "no local keys folder")]
    open_ = [
        path.name for path in sorted(folder.rglob("*")) if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    return [
        Finding("keys", not open_, ", ".join(open_[:5]) or "readable by their owner alone", "chmod 600 these files.")
    ]


async def _account(url: str, key: str) -> list[Finding]:
    account = (await _get(url, "/v1/account", key)).json()
    address = account.get("oversight_email") or ""
    mend = "PATCH /v1/account with oversight_email: codes and warnings go there."
    if not address:
        return [Finding("oversight address", False, "none", mend)]
    return [Finding("oversight address", None if address.endswith(_RESERVED) else True, address, mend)]


async def _dns(url: str, key: str) -> list[Finding]:
    mailboxes = (await _get(url, "/v1/mailboxes", key)).json()["mailboxes"]
    domains = sorted({box["address"].rpartition("@")[2] for box in mailboxes})
    found = []
    for domain in [d for d in domains if not d.endswith(_RESERVED)][:10]:
        for name, kind, starts, mend in (
            (domain, "MX", "", "Publish an MX record that names this installation's SMTP host."),
            (domain, "TXT", "v=spf1", "Publish an SPF record that names the machines that send."),
            (f"_dmarc.{domain}", "TXT", "v=DMARC1", "Publish a DMARC record, p=none at first."),
        ):
            found.append(await _record(name, kind, starts, mend))
    return found or [Finding("dns", None, "no mailbox has a public domain")]


async def _record(name: str, kind: str, starts: str, mend: str) -> Finding:
    try:
        answers = await dns.asyncresolver.resolve(name, kind, lifetime=5)
    except dns.exception.DNSException as reason:
        return Finding(f"dns {kind} {name}", False, type(reason).__name__, mend)
    texts = [answer.to_text().strip('"') for answer in answers]
    wanted = [text for text in texts if text.startswith(starts)]
    return Finding(f"dns {kind} {name}", bool(wanted), (wanted or texts or ["none"])[0][:80], mend)
