"""The HTTP door for raw mail: relays that cannot speak SMTP, inbound webhooks of providers, and `gatepost import`.

`POST /inbound?to=support@example.org&from=...` with the mail as the body, or a provider's form or JSON
(`provided.py`). The relay's secret comes as a bearer token, or as the password of basic authentication, because that is
what providers can send. A 2xx means what a 250 means: stored. A 503 asks to come back; anything else is final.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from datetime import UTC, datetime
from typing import Any

import structlog
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, create_form_parser
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gatepost_ingest.answers import Answers
from gatepost_ingest.arrived import Arrived, Recipient, Refused
from gatepost_ingest.directory import MailboxDirectory
from gatepost_ingest.envelopes import recipients_in, sender_in
from gatepost_ingest.paths import folded, is_address, one_line_end
from gatepost_ingest.provided import FORM_TYPES, RAW_TYPES, NotUnderstood, Provided, from_form, from_json
from gatepost_ingest.settings import IngestSettings
from gatepost_ingest.signing_in import Relays
from gatepost_ingest.trace import caller_of
from gatepost_runtime.health import HttpServer

log = structlog.get_logger()

MOST_AT_A_TIME = 16
"""Posts that are read at a time; each may hold a whole mail in memory."""
AROUND_A_MAIL = 1.4
"""A mail in base64, in a form, with the fields around it, is this much longer."""


class _Said(Exception):
    """The reply, when the request can go no further."""

    def __init__(self, status: int, code: str, error: str, hint: str = "", **more: Any) -> None:
        super().__init__(code)
        self.status, self.body = status, {"error": error, "code": code, "hint": hint, **more}


class HttpDoor:
    """Takes posts and stores what they hold."""

    def __init__(self, settings: IngestSettings, answers: Answers, directory: MailboxDirectory, relays: Relays) -> None:
        self._settings, self._answers, self._directory, self._relays = settings, answers, directory, relays
        self._free = asyncio.Semaphore(MOST_AT_A_TIME)
        self._server: HttpServer | None = None
        self.app = Starlette(routes=[Route("/inbound", self.post, methods=["POST"])])

    async def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        self._server = HttpServer(self.app, self._settings.http_host, self._settings.http_port or 0)
        await self._server.start()
        log.info("listening for posted mail", host=self._settings.http_host, port=self.port)

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise RuntimeError("not listening")
        return self._server.port

    async def stop(self) -> None:
        """Finish what is being stored, then close."""
        if self._server is not None:
            await self._server.stop()

    async def post(self, request: Request) -> JSONResponse:
        """One request; the reply says what was stored."""
        try:
            relay = self._relay(request)
            self._is_open()
            async with self._free:
                return JSONResponse(await self._take(request, relay))
        except _Said as said:
            headers = {"Retry-After": "30"} if said.status == 503 else {}
            if said.status == 401:
                headers["WWW-Authenticate"] = 'Basic realm="gatepost inbound"'
            return JSONResponse(said.body, said.status, headers)
        except ClientDisconnect:
            return JSONResponse({}, 400)
        except Exception as error:
            log.exception("a posted mail could not be stored", error=type(error).__name__)
            return JSONResponse(_later().body, 503, {"Retry-After": "30"})

    def _is_open(self) -> None:
        if self._answers.refusal() is not None or self._free.locked():
            raise _later()

    def _relay(self, request: Request) -> str:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                name = secret = ""
            relay = name if self._relays.knows(name, secret) else None
        else:
            relay = self._relays.named_by(value.strip()) if kind.lower() == "bearer" else None
        if relay is None:
            raise _Said(401, "unauthenticated", "A relay's secret is needed.", "See GATEPOST_INGEST_RELAYS_FILE.")
        return relay

    async def _take(self, request: Request, relay: str) -> dict[str, Any]:
        mails = _understood(request, await self._body(request))
        asked = request.query_params.getlist("to")
        recipients = tuple(word for value in asked for word in value.split(",") if word.strip())
        is_history = request.query_params.get("history") in {"1", "true"}
        stored, refused = list[str](), list[str]()
        for mail in mails:
            sender = request.query_params.get("from", mail.sender)
            ids, unknown = await self._store(
                mail.raw, sender, recipients or mail.recipients, relay, is_history=is_history
            )
            stored += ids
            refused += unknown
        if not stored:
            hint = "Name the mailbox with ?to=address."
            raise _Said(404, "not_found", "No recipient of this mail has a mailbox here.", hint, refused=refused)
        return {"id": stored[0], "ids": stored, "refused": refused, "status": "stored"}

    async def _body(self, request: Request) -> bytes:
        most = int(self._settings.max_size * AROUND_A_MAIL) + 65_536
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > most:
            raise _too_large(self._settings.max_size)
        body = bytearray()
        async with asyncio.timeout(self._settings.data_s):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise _too_large(self._settings.max_size)
        return bytes(body)

    async def _store(
        self, received: bytes, sender: str | None, named: tuple[str, ...], relay: str, *, is_history: bool
    ) -> tuple[tuple[str, ...], list[str]]:
        """The ids of what was stored, and the addresses that have no mailbox here."""
        raw, had_bare = one_line_end(received)
        recipients, unknown = await self._recipients(named or recipients_in(raw), is_named=bool(named))
        if not recipients:
            return (), unknown
        if len(raw) > min(self._settings.max_size, *(r.mailbox.max_size for r in recipients)):
            raise _too_large(self._settings.max_size)
        sender = sender_in(raw) if sender is None else sender.strip("<> ")
        address, hello = caller_of(raw, self._settings.relay_networks) or ("", "")
        mail = Arrived(
            raw=raw, sender=folded(sender) if sender and is_address(sender, is_utf8=True) else "",
            recipients=tuple(recipients), had_bare_line_ends=had_bare, peer=address, hello=hello, is_encrypted=False,
            at=datetime.now(UTC), relay=relay, door="import" if is_history else "http",
            received=received if had_bare else None,
        )  # fmt: skip
        try:
            return await self._answers.store(mail), unknown
        except Refused as refused:
            raise _Said(403, "refused", refused.reply.partition(" ")[2]) from None

    async def _recipients(self, addresses: tuple[str, ...], *, is_named: bool) -> tuple[list[Recipient], list[str]]:
        """Those with a mailbox; addresses read from headers name strangers too, and only the first mailbox counts."""
        found, unknown = list[Recipient](), list[str]()
        for word in addresses[: self._settings.max_recipients]:
            address = folded(word.strip().strip("<>"))
            mailbox = await self._directory.find(address) if is_address(address, is_utf8=True) else None
            if mailbox is None:
                unknown.append(address)
                continue
            found.append(Recipient(address, mailbox))
            if not is_named:
                return found, []
        return found, unknown


def _understood(request: Request, body: bytes) -> list[Provided]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind in RAW_TYPES and not (kind == "text/plain" and body[:1] == b"{"):  # SNS posts its JSON as text
            return [Provided(body)]
        if kind in FORM_TYPES:
            return from_form(_fields(request.headers.get("content-type", ""), body))
        return from_json(body)
    except NotUnderstood as reason:
        raise _Said(400, "invalid_request", str(reason)) from None


def _fields(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a form, byte for byte."""
    found: dict[str, bytes] = {}

    def field(one: Field) -> None:
        if one.field_name is not None:
            found[one.field_name.decode("utf-8", "replace")] = one.value or b""

    def file(one: File) -> None:
        if one.field_name is not None:
            one.file_object.seek(0)
            found[one.field_name.decode("utf-8", "replace")] = one.file_object.read()

    try:
        parser = create_form_parser({"Content-Type": content_type.encode("latin-1")}, field, file)
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError):
        raise NotUnderstood("The form cannot be read.") from None
    return found


def _later() -> _Said:
    return _Said(503, "unavailable", "Not now.", "Post the same mail again; it is stored once.")


def _too_large(limit: int) -> _Said:
    return _Said(413, "too_large", "The mail is larger than is taken here.", limit_bytes=limit)
