"""A recorded service answers like the one that was recorded, in both clients, and holds no secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gatepost_client import AsyncGatepost, Gatepost, NotFoundError, Recorded, Unrecorded


class Service(BaseHTTPRequestHandler):
    """Counts its calls, so that each answer differs."""

    calls = 0

    def do_GET(self) -> None:
        Service.calls += 1
        status, body = (
            (404, {"error": "no", "code": "not_found", "hint": ""})
            if "none" in self.path
            else (200, {"n": Service.calls})
        )
        self._say(status, body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say(201, {"id": "key_1", "api_key": "gp_live_very_secret", "key": "gp_live_very_secret"})

    def _say(self, status: int, body: dict[str, object]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def url() -> Iterator[str]:
    Service.calls = 0
    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


NOWHERE = "http://127.0.0.1:9"


def record(url: str, path: Path) -> None:
    with Gatepost("gp_live_mine", base_url=url, transport=Recorded(path, record=True)) as gatepost:
        assert gatepost.list_mailboxes() == {"n": 1}
        assert gatepost.list_mailboxes() == {"n": 2}
        assert gatepost.create_api_key("a", ["read"])["api_key"] == "gp_live_very_secret"
        with pytest.raises(NotFoundError):
            gatepost.get_mailbox("none@x.test")


def test_a_recording_answers_as_the_service_did(url: str, tmp_path: Path) -> None:
    """In the order of the recording, the last answer for ever; refusals too."""
    path = tmp_path / "deep" / "calls.json"
    record(url, path)
    with Gatepost("gp_test_other", base_url=NOWHERE, transport=Recorded(path)) as gatepost:
        assert [gatepost.list_mailboxes()["n"] for _ in range(3)] == [1, 2, 2]
        with pytest.raises(NotFoundError):
            gatepost.get_mailbox("none@x.test")
        with pytest.raises(Unrecorded, match="GET /v1/account"):
            gatepost.get_account()


async def test_the_asyncio_client_takes_the_same_recording(url: str, tmp_path: Path) -> None:
    record(url, tmp_path / "calls.json")
    async with AsyncGatepost(
        "gp_test_other", base_url=NOWHERE, transport=Recorded(tmp_path / "calls.json")
    ) as gatepost:
        assert await gatepost.list_mailboxes() == {"n": 1}


async def test_the_asyncio_client_records(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment asks for it, so that no test's code changes for a new recording."""
    monkeypatch.setenv("GATEPOST_RECORD", "1")
    async with AsyncGatepost("gp_live_mine", base_url=url, transport=Recorded(tmp_path / "calls.json")) as gatepost:
        assert await gatepost.list_mailboxes() == {"n": 1}

    assert len(json.loads((tmp_path / "calls.json").read_text())) == 1


def test_a_recording_holds_no_key(url: str, tmp_path: Path) -> None:
    """It is committed beside the tests."""
    record(url, tmp_path / "calls.json")
    text = (tmp_path / "calls.json").read_text()

    assert "secret" not in text
    assert "gp_live" not in text


def test_without_a_recording_nothing_is_asked(tmp_path: Path) -> None:
    """A test that was never recorded says so; it does not go to the network."""
    with pytest.raises(Unrecorded, match="GATEPOST_RECORD"):
        Recorded(tmp_path / "none.json")
