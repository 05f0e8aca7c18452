"""Logs: one JSON object a line on standard output, with the ids that tie a mail's way together. No addresses."""

from __future__ import annotations

import hashlib
import logging
import sys
from typing import Any, TextIO

import orjson
import structlog

_NOISY = {
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
    "nats": logging.ERROR,
    "asyncpg.pool": logging.ERROR,
}


def configure(service: str, level: str, *, stream: TextIO | None = None) -> None:
    """Set up structlog, and route what libraries log through the same lines."""
    number = logging.getLevelNamesMapping()[level.upper()]
    out = stream or sys.stdout
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(out.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(serializer=_text),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.INFO), force=True)
    for name, quiet in _NOISY.items():
        logging.getLogger(name).setLevel(max(number, quiet))


def get_logger() -> Any:
    """The logger of this process; `log.info("a constant sentence", field=value)`."""
    return structlog.get_logger()


def redact(address: str | None) -> str:
    """An address as a log may show it: the domain, and a short digest that tells one person from another."""
    if not address:
        return ""
    local, _, domain = address.rpartition("@")
    digest = hashlib.sha256(local.lower().encode()).hexdigest()[:6]
    return f"{digest}…@{domain}" if domain else f"{digest}…"


def _dumps(event: Any, **_: Any) -> bytes:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)


def _text(event: Any, **_: Any) -> str:
    return _dumps(event).decode()
