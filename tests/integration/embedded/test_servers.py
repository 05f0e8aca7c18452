"""The private NATS and Postgres: theirs alone, safe, and the same after a restart."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import nats
import pytest

from gatepost_embedded import Nats, Postgres, private_nats, private_postgres
from gatepost_embedded.children import command_line
from gatepost_embedded.errors import EmbeddedError, FolderInUseError, PortTakenError, StrangerError
from gatepost_embedded.ports import claim, free_port

USERS = 'authorization { users: [{user: "ada", password: "secret"}] }'


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_jetstream_keeps_its_messages_over_a_restart(tmp_path: Path) -> None:
    """Data is kept between starts, and the port is the same for those who reconnect."""
    server = Nats(tmp_path / "nats", users_conf=USERS)
    server.start()
    port = server.port
    try:
        client = await nats.connect(server.url("ada", "secret"))
        await client.jetstream().add_stream(name="EVENTS", subjects=["email.>"])
        await client.jetstream().publish("email.held.mbx_1", b"{}")
        await client.close()
        server.stop()
        server.start()
        client = await nats.connect(server.url("ada", "secret"))
        info = await client.jetstream().stream_info("EVENTS")
        await client.close()
    finally:
        server.stop()

    assert 1 == info.state.messages
    assert port == server.port


async def test_nats_lets_nobody_in_without_a_password(tmp_path: Path) -> None:
    """The users are the caller's, and their passwords lie in a file that only we read."""
    with private_nats(tmp_path, users_conf=USERS) as server:
        with pytest.raises(nats.errors.Error):
            await nats.connect(server.url("ada", "wrong"), allow_reconnect=False, error_cb=_quiet)

        assert 0o600 == mode_of(server.conf)
        assert "sync_interval: always" in server.conf.read_text()
        assert "secret" not in command_line(server.pid or 0)


async def _quiet(_error: Exception) -> None:
    """Nothing to say."""


def test_postgres_keeps_its_rows_and_its_promises(tmp_path: Path) -> None:
    """Durable, with SCRAM, in a folder of ours; the second start finds the first one's rows."""
    server = Postgres(tmp_path / "pg", sync_new_files=False)
    server.start()
    try:
        server.psql("CREATE TABLE kept (a int); INSERT INTO kept VALUES (7)")
        said = server.psql("SHOW fsync; SHOW full_page_writes; SHOW synchronous_commit; SHOW listen_addresses")
        hashes = server.psql("SELECT rolpassword LIKE 'SCRAM-SHA-256%' FROM pg_authid WHERE rolname = 'gatepost'")
        locale = server.psql("SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'gatepost'")
        server.stop()
        server.start()
        rows = server.psql("TABLE kept")
        line = command_line(server.pid or 0)
    finally:
        server.stop()

    assert ["on", "on", "on", "127.0.0.1"] == said.split("\n")
    assert "t" == hashes
    assert "b|C.UTF-8" == locale
    assert "7" == rows
    assert server.password not in line
    assert [0o600, 0o600] == [mode_of(server.folder / name) for name in ("password", "pgpass")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another guise")
def test_root_runs_postgres_as_nobody_in_a_namespace_of_its_own(tmp_path: Path) -> None:
    """No user is made and nothing is chmodded: even below a 0700 folder, from outside the files are root's."""
    (tmp_path / "closed").mkdir(mode=0o700)
    users = Path("/etc/passwd").read_bytes()
    with private_postgres(tmp_path / "closed") as server:
        mapping = Path(f"/proc/{server.pid}/uid_map").read_text().split()

        assert ["65534", "0", "1"] == mapping
        assert 0 == server.data.stat().st_uid
    assert users == Path("/etc/passwd").read_bytes()
    assert 0o700 == mode_of(tmp_path / "closed")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_namespaces_root_becomes_nobody_for_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fall-back: the data belongs to nobody, below folders that nobody can reach."""
    import tempfile

    monkeypatch.setattr("gatepost_embedded.guises._namespace_runs", lambda _binary: False)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o711)  # our own; tmp_path lies below folders of mode 0700
        try:
            with private_postgres(Path(folder)) as server:
                server.psql("SELECT 1")

                assert 65_534 == Path(f"/proc/{server.pid}").stat().st_uid
        except EmbeddedError as error:
            if "does not run as root" not in str(error):
                raise
            pytest.skip("the checkout cannot be reached by nobody")  # the clear message is all one can have


@pytest.mark.parametrize("kind", [Nats, Postgres])
def test_two_servers_never_share_a_folder(tmp_path: Path, kind: type) -> None:
    """The second one is told who has it."""
    first = kind(tmp_path / "one")
    first.start()
    try:
        with pytest.raises(FolderInUseError, match=f"process {os.getpid()}"):
            kind(tmp_path / "one").start()
    finally:
        first.stop()


@pytest.mark.parametrize("kind", [Nats, Postgres])
def test_a_port_that_is_taken_is_named(tmp_path: Path, kind: type) -> None:
    """A given port is used or refused, never silently another one."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        server = kind(tmp_path / "one", port=port)
        with pytest.raises(PortTakenError, match=f"port {port} on 127.0.0.1 is taken"):
            server.start()
        server.stop()


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    """Else a client that reconnects for ever could be given the server's port as its own."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert all(port < lowest for port in (free_port() for _ in range(20)))
    assert claim(free_port(), "a test") > 0


def test_a_stranger_on_the_port_is_no_server_of_ours(tmp_path: Path) -> None:
    """Before the first write it must be known to be ours."""
    with private_nats(tmp_path / "a") as ours, private_postgres(tmp_path / "a") as our_postgres:
        other = Nats(tmp_path / "b", port=0)
        other.prepare()
        other.port = ours.port
        with pytest.raises(StrangerError):
            other.is_ready()
        other.stop()

        stranger = Postgres(tmp_path / "c", sync_new_files=False)
        stranger.prepare()
        stranger.port = our_postgres.port
        with pytest.raises(StrangerError):
            stranger.is_ready()
        stranger.stop()


def test_a_pid_file_of_a_dead_postgres_stops_nobody(tmp_path: Path) -> None:
    """Killed, and its number belongs to somebody else by now, as after the restart of a container."""
    server = Postgres(tmp_path / "pg", sync_new_files=False)
    server.start()
    server.psql("CREATE TABLE kept (a int)")
    os.kill(server.pid or 0, signal.SIGKILL)
    assert server._process is not None
    server._process.wait()
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    with subprocess.Popen(["sleep", "60"]) as innocent:
        pid_file.write_text("\n".join([str(innocent.pid), *lines[1:]]))
        try:
            server.start()
            rows = server.psql("SELECT count(*) FROM kept")
        finally:
            server.stop()
            was_spared = innocent.poll() is None
            innocent.kill()

    assert "0" == rows
    assert was_spared
