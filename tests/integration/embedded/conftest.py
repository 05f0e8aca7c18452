"""A supervisor in a process of its own, so that it can be killed, and ways to see what it left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from gatepost_embedded import Child, EmbeddedError, Nats, Postgres, Step, Supervisor
from gatepost_embedded.files import write_private

data = Path(sys.argv[1])
nats, postgres = Nats(data / "nats"), Postgres(data / "postgres", sync_new_files=False)

rows = 0

async def count():
    global rows
    postgres.psql("CREATE TABLE IF NOT EXISTS start (n int); INSERT INTO start VALUES (1)")
    rows = int(postgres.psql("SELECT count(*) FROM start"))

def tell(pids):
    ports = {"nats": nats.port, "postgres": postgres.port}
    write_private(data / "ready.json", json.dumps({"pids": pids, "starts": rows, "ports": ports}))

sleeper = [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"]
children = [nats.child(), postgres.child(), Step("count", count), Child("sleeper", sleeper), *eval(sys.argv[2])]
supervisor = Supervisor(data, on_change=tell)
try:
    sys.exit(asyncio.run(supervisor.run(children)))
except EmbeddedError as error:
    sys.exit(str(error))
"""


def eventually(look: Callable[[], T | None], what: str, within_s: float = 20) -> T:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {within_s:g} s")


class Running:
    """One run of the program above."""

    def __init__(self, data: Path, more: str = "()") -> None:
        self.data, self.ready_file = data, data / "ready.json"
        data.mkdir(exist_ok=True)
        self.ready_file.unlink(missing_ok=True)
        self.output = data / "output"
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(data), more], stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )

    def wait_up(self) -> dict:
        def look() -> bool:
            assert self.process.poll() is None, self.output.read_text()
            return self.ready_file.exists()

        eventually(look, "the ready file", 60)
        return self.told()

    def told(self) -> dict:
        return json.loads(self.ready_file.read_text())

    def all_pids(self) -> set[int]:
        """Everything below the supervisor, to any depth, by number."""
        below: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            below.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, queue = set(), [self.process.pid]
        while queue:
            queue += (children := below.get(queue.pop(), []))
            found.update(children)
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(more: str = "()") -> Running:
        made.append(Running(tmp_path / "data", more))
        return made[-1]

    yield start
    for running in made:
        if running.process.poll() is None:
            running.stop()
