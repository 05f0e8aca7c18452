"""Whatever dies is started again, and nothing outlives the supervisor."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable
from typing import Any

import pytest

from gatepost_embedded.keeper import started_at

Start = Callable[..., Any]


def eventually(look: Callable[[], Any], what: str, within_s: float = 20) -> Any:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {within_s:g} s")


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if started_at(pid)}


@pytest.mark.parametrize("name", ["nats", "postgres", "sleeper"])
def test_what_is_killed_comes_back_on_the_same_port(supervised: Start, name: str) -> None:
    """The services reconnect to where the server was; the ready file names the new process."""
    running = supervised()
    before = running.wait_up()

    os.kill(before["pids"][name], signal.SIGKILL)
    eventually(lambda: running.told()["pids"].get(name, before["pids"][name]) != before["pids"][name], "a new one", 10)
    after = running.told()

    assert {**before["pids"], name: None} == {**after["pids"], name: None}
    assert before["ports"] == after["ports"]
    assert 0o600 == stat.S_IMODE(running.ready_file.stat().st_mode)
    assert 0 == running.stop()


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_goes_on(supervised: Start) -> None:
    """Even by SIGKILL, even the grandchildren; the data is taken over, at once."""
    first = supervised()
    assert 1 == first.wait_up()["starts"]
    everything = first.all_pids()
    assert len(everything) > 8

    first.kill()
    second = supervised()
    eventually(lambda: not alive(everything), "the end of all of them", 5)

    assert 2 == second.wait_up()["starts"]
    assert 0 == second.stop()


def test_without_its_keeper_a_killed_supervisor_still_leaves_nothing(supervised: Start) -> None:
    """The kernel tells the children, and it does so inside a user namespace too."""
    running = supervised()
    running.wait_up()
    everything = running.all_pids()
    (keeper,) = [pid for pid in everything if "keeper.py" in _line(pid)]
    servers = set(running.told()["pids"].values()) - {running.process.pid}

    os.kill(keeper, signal.SIGKILL)
    running.kill()

    eventually(lambda: not alive(servers), "the end of all of them", 5)
    for pid in alive(everything):  # what a child had started: only the keeper knows whole groups
        os.kill(pid, signal.SIGKILL)


def _line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def test_sigterm_stops_everything_with_code_0(supervised: Start) -> None:
    """Ctrl-C and SIGTERM are the same, and the clean end."""
    running = supervised()
    running.wait_up()
    everything = running.all_pids()

    running.process.send_signal(signal.SIGINT)

    assert 0 == running.process.wait(30)
    eventually(lambda: not alive(everything), "the end of all of them", 2)
    assert "database system is shut down" in (running.data / "logs" / "postgres.log").read_text()


def test_two_supervisors_never_share_a_folder(supervised: Start) -> None:
    """The second is told by whom it is in use, and the first does not notice."""
    first = supervised()
    before = first.wait_up()
    ready = first.ready_file.read_bytes()

    second = supervised()
    code = second.process.wait(20)
    first.ready_file.write_bytes(ready)  # the fixture of the second start removed it

    assert 1 == code
    assert f"process {before['pids']['supervisor']}" in second.output.read_text()
    assert started_at(before["pids"]["nats"])


def test_a_child_that_cannot_start_says_why(supervised: Start) -> None:
    """Its last words and where its log is; what was started goes down again."""
    running = supervised(
        """[Child("broken", [sys.executable, "-c", "import sys; sys.exit('no key in the folder')"])]"""
    )
    code = running.process.wait(60)
    said = running.output.read_text()

    assert 1 == code
    assert "broken ended (exit code 1); its last words were:" in said
    assert "no key in the folder" in said
    assert "logs/broken.log" in said


def test_a_child_sees_only_what_it_is_given(supervised: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's environment, with its secrets, is not inherited."""
    monkeypatch.setenv("GATEPOST_DATABASE_URL", "postgresql://somebody:else@example.test/x")
    line = "import os, time; print(sorted(os.environ), flush=True); time.sleep(600)"
    running = supervised(f"""[Child("shy", [sys.executable, "-c", {line!r}], env={{"OWN": "1"}})]""")
    running.wait_up()
    seen = eventually((running.data / "logs" / "shy.log").read_text, "its log")

    assert "'OWN'" in seen
    assert "'PATH'" in seen
    assert "GATEPOST_DATABASE_URL" not in seen
