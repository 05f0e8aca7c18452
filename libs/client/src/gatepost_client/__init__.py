"""Python SDK of Gatepost: `Gatepost`, `AsyncGatepost`, and `MultimailClient` for programs written for MultiMail."""

from gatepost_client.errors import (
    AuthenticationError,
    MultiMailError,
    NotFoundError,
    RateLimitError,
    ValidationError,
    WebhookError,
)
from gatepost_client.multimail import MultimailClient
from gatepost_client.published import AsyncMultiMail, MultiMail
from gatepost_client.recorded import Recorded, Unrecorded
from gatepost_client.rest import AsyncGatepost, Gatepost
from gatepost_client.webhooks import verify_webhook

__all__ = [
    "AsyncGatepost",
    "AsyncMultiMail",
    "AuthenticationError",
    "Gatepost",
    "MultiMail",
    "MultiMailError",
    "MultimailClient",
    "NotFoundError",
    "RateLimitError",
    "Recorded",
    "Unrecorded",
    "ValidationError",
    "WebhookError",
    "verify_webhook",
]
