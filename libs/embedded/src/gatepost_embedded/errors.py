"""What can go wrong when a server of ours is started, in words for the one who started it."""

from __future__ import annotations


class EmbeddedError(Exception):
    """A start or stop failed; the text says why and what to do."""


class PortTakenError(EmbeddedError):
    """Somebody else listens on the port that was asked for."""

    def __init__(self, port: int, what: str, host: str = "127.0.0.1") -> None:
        super().__init__(
            f"port {port} on {host} is taken, so {what} cannot listen there; name another one, or 0 for a free one"
        )
        self.port = port


class FolderInUseError(EmbeddedError):
    """Another process of ours works on this folder."""


class StrangerError(EmbeddedError):
    """The server that answers on our port is not the one we started."""


class StartFailedError(EmbeddedError):
    """A child ended, or did not get ready, before everything was up."""

    def __init__(self, name: str, why: str, log_lines: tuple[str, ...] = (), log_file: str = "") -> None:
        tail = "".join(f"\n    {line}" for line in log_lines)
        where = f"\n  its log is {log_file}" if log_file else ""
        super().__init__(f"{name} {why}{tail and '; its last words were:'}{tail}{where}")
        self.name, self.log_lines = name, log_lines
