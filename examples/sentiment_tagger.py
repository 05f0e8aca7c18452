"""A consumer that tags each incoming mail with how its writer seems to feel. Replace `feeling` by your model.

Run it beside `make up`:
    gatepost streams add-consumer sentiment_tagger --event email.received
    GATEPOST_NATS_URL=<nats_url of data/ready.json> TAGGER_API_KEY=<an agent's key> python examples/sentiment_tagger.py
"""

from __future__ import annotations

import re

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatepost_client import AsyncGatepost
from gatepost_contracts.email import EmailReceived
from gatepost_runtime import On
from gatepost_runtime.consumer import consume

ANGRY = re.compile(r"(?i)\b(angry|furious|unacceptable|terrible|worst|complain\w*|refund|never again)\b")
HAPPY = re.compile(r"(?i)\b(thank\w*|great|love|perfect|wonderful|happy)\b")


class TaggerSettings(BaseSettings):
    """Read from TAGGER_*."""

    model_config = SettingsConfigDict(env_prefix="TAGGER_")

    api_url: str = Field("http://127.0.0.1:8080", description="Gatepost's API.")
    api_key: str = Field(description="A key with the scopes read and send.")


def feeling(text: str) -> str:
    """negative, positive or neutral, by a few words."""
    if ANGRY.search(text):
        return "negative"
    return "positive" if HAPPY.search(text) else "neutral"


class Tagger:
    """Looks at a mail and tags it; twice is once, for a tag has one value."""

    def __init__(self, client: AsyncGatepost) -> None:
        self._client = client

    async def received(self, event: EmailReceived) -> None:
        mail = await self._client.get_email(event.message_id, mark_read=False)
        await self._client.set_tags(event.mailbox_id, event.message_id, {"sentiment": feeling(mail["markdown"])})


HANDLERS = (On(EmailReceived, Tagger.received, workers=8),)


def main() -> None:
    settings = TaggerSettings()
    client = AsyncGatepost(settings.api_key, base_url=settings.api_url)
    consume("sentiment_tagger", HANDLERS, Tagger(client), close=(client.close,))


if __name__ == "__main__":
    main()
