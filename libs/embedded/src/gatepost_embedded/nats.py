"""A NATS server of our own, with JetStream on disk.

Its name is a random token of the data folder: the first line that a NATS server says carries it, so a stranger on the port is
told from ours before anything is written. Ports stay the same for the life of this object, so clients reconnect after a restart.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gatepost_embedded import binaries, children
from gatepost_embedded.child import Child
from gatepost_embedded.errors import StartFailedError, StrangerError
from gatepost_embedded.files import FolderLock, private_folder, write_private
from gatepost_embedded.ports import claim

if TYPE_CHECKING:
    import subprocess

CONF = """\
# Written at every start; changes here are lost.
server_name: {name}
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
pid_file: {pid_file}
max_payload: {max_payload}
max_connections: 1024
jetstream {{
  store_dir: {store}
  sync_interval: {sync_interval}
}}
{users_conf}
"""


class Nats:
    """One server on one folder; `users_conf` is the text of its `authorization` or `accounts` block."""

    def __init__(
        self,
        folder: Path,
        *,
        users_conf: str = "",
        port: int = 0,
        sync_interval: str = "always",
        max_payload: int = 1_048_576,
    ) -> None:
        self.folder = folder.absolute()
        self.users_conf = users_conf
        self.sync_interval, self.max_payload = sync_interval, max_payload
        self._asked_port = port
        self.port = 0
        self.monitor_port = 0
        self.token = ""
        self._lock = FolderLock(self.folder / "lock")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def conf(self) -> Path:
        """The file with the passwords in it, 0600."""
        return self.folder / "nats.conf"

    def url(self, user: str = "", password: str = "") -> str:
        """How a client reaches it. Passwords are url-safe tokens, because nats-py does not unquote them."""
        who = f"{user}:{password}@" if user else ""
        return f"nats://{who}127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Make the folder ours and write the configuration; safe to repeat before every start."""
        private_folder(self.folder)
        private_folder(self.folder / "jetstream")
        self._lock.take("a NATS server of ours", wait_s=5)
        self.token = self._read_token()
        self._end_leftover()
        if self.port == 0:
            self.port = claim(self._asked_port, "NATS")
            self.monitor_port = claim(0, "the NATS monitor")
        write_private(
            self.conf,
            CONF.format(
                name=self.token,
                port=self.port,
                monitor_port=self.monitor_port,
                pid_file=json.dumps(str(self.folder / "nats.pid")),
                store=json.dumps(str(self.folder / "jetstream")),
                sync_interval=self.sync_interval,
                max_payload=self.max_payload,
                users_conf=self.users_conf,
            ),
        )

    def command(self) -> list[str]:
        """The line that starts it; no secret stands in it."""
        return [str(binaries.nats_server()), "-c", str(self.conf)]

    def is_ready(self) -> bool:
        """Does ours answer, and is it healthy? A stranger raises."""
        name = self._name_on_port()
        if name is None:
            return False
        if name != self.token:
            raise StrangerError(f"port {self.port} answers as another NATS server, not as the one of {self.folder}")
        return self._is_healthy()

    def child(self, name: str = "nats") -> Child:
        """How the supervisor runs it."""
        return Child(
            name=name,
            command=self.command,
            prepare=self.prepare,
            probe=self.is_ready,
            rank=0,
            stop_signal=signal.SIGTERM,
            death_signal=signal.SIGTERM,
            folder=self.folder,
            new_port=self.new_port,
        )

    def new_port(self) -> bool:
        """Somebody was quicker on the port: draw another one, unless the port was asked for."""
        if self._asked_port:
            return False
        self.port = self.monitor_port = 0
        return True

    def start(self, timeout_s: float = 15) -> None:
        """Start it without a supervisor, for tests and tools; it ends with this process at the latest."""
        log = private_folder(self.folder) / "nats.log"
        for _ in range(5):
            self.prepare()
            process = children.spawn(self.command(), env={}, log=log, death_signal=signal.SIGTERM)
            children.shared_keeper().add(process.pid, signal.SIGTERM)
            self._process = process
            deadline = time.monotonic() + timeout_s
            while process.poll() is None:
                if self.is_ready():
                    return
                if time.monotonic() > deadline:
                    self.stop()
                    raise StartFailedError("nats", f"was not ready after {timeout_s:g} s", children.tail(log), str(log))
                time.sleep(0.01)
            children.shared_keeper().drop(process.pid)
            if not self.new_port():
                break
        raise StartFailedError("nats", "ended at once", children.tail(log), str(log))

    @property
    def pid(self) -> int | None:
        """The number of the server that `start` started."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """End it cleanly and let the folder go."""
        if self._process is not None:
            children.stop(self._process, signal.SIGTERM, wait_s=15)
            children.shared_keeper().drop(self._process.pid)
            self._process = None
        self._lock.release()

    def _read_token(self) -> str:
        file = self.folder / "token"
        with contextlib.suppress(FileNotFoundError):
            return file.read_text(encoding="ascii").strip()
        write_private(file, f"gatepost-{secrets.token_hex(16)}\n")
        return file.read_text(encoding="ascii").strip()

    def _end_leftover(self) -> None:
        try:
            pid = int((self.folder / "nats.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return
        own = self._process is not None and self._process.pid == pid and self._process.poll() is None
        line = children.command_line(pid)
        if not own and pid != os.getpid() and "nats-server" in line and str(self.conf) in line:
            children.end_orphan(pid, signal.SIGTERM, what="a NATS server")

    def _name_on_port(self) -> str | None:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as peer:
                said = peer.makefile("rb").readline(65_536)
        except OSError:
            return None
        if not said.startswith(b"INFO "):
            if not said:
                return None
            raise StrangerError(f"port {self.port} answers, but not as a NATS server")
        try:
            return str(json.loads(said[5:])["server_name"])
        except (ValueError, KeyError, TypeError):
            raise StrangerError(f"port {self.port} answers as an unknown NATS server") from None

    def _is_healthy(self) -> bool:
        monitor = http.client.HTTPConnection("127.0.0.1", self.monitor_port, timeout=2)
        try:
            monitor.request("GET", "/healthz")
            return monitor.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            monitor.close()
