"""What makes a process a Gatepost service: `serve(name, wire)`, rows of events and handlers, one failure policy."""

from gatepost_runtime.errors import Fatal, Hopeless, Transient, Unavailable
from gatepost_runtime.keys import Keys, make_keys, seal, unseal
from gatepost_runtime.logging import get_logger, redact
from gatepost_runtime.main import serve
from gatepost_runtime.rows import On, Wired
from gatepost_runtime.service import Service
from gatepost_runtime.settings import RuntimeSettings

__all__ = [
    "Fatal",
    "Hopeless",
    "Keys",
    "On",
    "RuntimeSettings",
    "Service",
    "Transient",
    "Unavailable",
    "Wired",
    "get_logger",
    "make_keys",
    "redact",
    "seal",
    "serve",
    "unseal",
]
