"""What a call raises when the service says no."""

from __future__ import annotations

from typing import Any


class MultiMailError(Exception):
    """The service refused, or could not be reached (then `status_code` is 0)."""

    def __init__(self, message: str, status_code: int = 0, body: Any = None) -> None:
        super().__init__(message)
        self.status_code, self.body = status_code, body

    @property
    def code(self) -> str:
        """The refusal's code, e.g. `stale_revision`."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    @property
    def hint(self) -> str:
        """What to do about it."""
        return str(self.body.get("hint", "")) if isinstance(self.body, dict) else ""


class AuthenticationError(MultiMailError):
    """The key is missing, unknown or revoked."""


class NotFoundError(MultiMailError):
    """There is no such thing, or it is not yours."""


class ValidationError(MultiMailError):
    """The request is wrong."""


class RateLimitError(MultiMailError):
    """Too many requests; `retry_after` says how many seconds to wait."""

    def __init__(
        self, message: str, status_code: int = 429, body: Any = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, status_code, body)
        self.retry_after = retry_after


class WebhookError(MultiMailError):
    """A webhook's signature does not hold, is too old, or was seen before."""


_BY_STATUS: dict[int, type[MultiMailError]] = {
    400: ValidationError,
    401: AuthenticationError,
    404: NotFoundError,
    422: ValidationError,
}


def error_for(status: int, body: Any, retry_after: float | None) -> MultiMailError:
    """The exception that stands for a reply."""
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        hint = body.get("hint")
        message = f"{body['error']} {hint}" if hint else body["error"]
    else:
        message = f"the service answered {status}"
    if status == 429:
        return RateLimitError(message, status, body, retry_after)
    return _BY_STATUS.get(status, MultiMailError)(message, status, body)
