"""Put this folder on the path, and programs that say `from multimail import MultimailClient` talk to Gatepost.

Never install it, and never beside the package of that name: it is one file that names ours.
"""

from gatepost_client import (
    AuthenticationError,
    MultimailClient,
    MultiMailError,
    NotFoundError,
    RateLimitError,
    ValidationError,
    verify_webhook,
)

__all__ = [
    "AuthenticationError",
    "MultiMailError",
    "MultimailClient",
    "NotFoundError",
    "RateLimitError",
    "ValidationError",
    "verify_webhook",
]
