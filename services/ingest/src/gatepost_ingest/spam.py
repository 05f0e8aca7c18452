"""What a spam filter of the operator's says of a mail: rspamd, asked over HTTP, where one is configured.

A filter that is away or slow delays no mail and hides none: it is taken as if there were no filter, and flagged so that a
reviewer knows. Its word keeps a mail aside; nothing is refused or thrown away for it, because filters are wrong at times.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import aiohttp
import structlog

from gatepost_ingest.arrived import Arrived
from gatepost_ingest.settings import IngestSettings

log = structlog.get_logger()

_ASIDE = {"reject": "quarantined", "add header": "flagged", "rewrite subject": "flagged", "quarantine": "quarantined"}
"""rspamd's actions that keep a mail aside, and our word for how sure it is; `greylist` and `soft reject` mean later."""
_MOST_ANSWERED = 1_048_576


@dataclass(frozen=True)
class Spam:
    """A filter's word; without one `score` is None."""

    score: int | None = None
    verdict: str = "clean"  # clean, flagged, quarantined
    is_unknown: bool = False  # there is a filter, and it did not answer


NO_FILTER = Spam()
NO_ANSWER = Spam(is_unknown=True)


class SpamFilter:
    """Asks rspamd's `/checkv2`."""

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings
        self._client: aiohttp.ClientSession | None = None

    async def ask(self, mail: Arrived) -> Spam:
        """What it says; never raises."""
        if not self._settings.rspamd_url or mail.door == "import":
            return NO_FILTER
        try:
            async with asyncio.timeout(self._settings.rspamd_s):
                return read_verdict(await self._post(mail))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            log.warning("the spam filter did not answer", error=type(error).__name__)
            return NO_ANSWER

    async def close(self) -> None:
        """Let go of its connections."""
        if self._client is not None:
            await self._client.close()

    async def _post(self, mail: Arrived) -> object:
        if self._client is None:
            self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=self._settings.rspamd_questions))
        said = {"From": mail.sender, "Rcpt": mail.recipients[0].address, "IP": mail.peer, "Helo": mail.hello,
                "Password": self._settings.rspamd_password.get_secret_value()}  # fmt: skip
        headers = {name: value for name, value in said.items() if value and value.isascii() and value.isprintable()}
        url = f"{self._settings.rspamd_url.rstrip('/')}/checkv2"
        async with self._client.post(url, data=mail.signed, headers=headers, allow_redirects=False) as reply:
            reply.raise_for_status()
            return json.loads(await reply.content.read(_MOST_ANSWERED))


def read_verdict(said: object) -> Spam:
    """Rspamd's answer in our words; raises ValueError when it is none."""
    if not isinstance(said, dict) or not isinstance(said.get("action"), str):
        raise ValueError("no answer of rspamd")  # noqa: TRY004 (what came over the wire is a value)
    score = said.get("score")
    whole = round(score) if isinstance(score, int | float) and abs(score) < 1_000_000 else None
    return Spam(whole, _ASIDE.get(said["action"], "clean"))
