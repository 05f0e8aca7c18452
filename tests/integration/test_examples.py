"""The examples, each as its own process beside a running installation, doing what its first lines say."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.installation import GATEPOST, Installation, eventually, header
from support.runtime import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[None]:
    """One example; ended by its pid, and shown when it fails."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GATEPOST_")}
    with log.open("w") as out:
        process = subprocess.Popen(command, env=kept | environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            yield
            assert process.poll() is None, log.read_text()[-3000:]
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def consumer(gatepost: Installation, name: str, events: list[str], log: Path, **environment: str) -> Iterator[None]:
    """An example that is a consumer: its durables first, as the operator makes them."""
    words = [word for event in events for word in ("--event", event)]
    subprocess.run(
        [str(GATEPOST), "streams", "add-consumer", name, *words, "--data", str(gatepost.data)],
        check=True,
        capture_output=True,
    )
    own = {"GATEPOST_NATS_URL": gatepost.info["nats_url"], "GATEPOST_HEALTH_PORT": "0", "GATEPOST_LOG_LEVEL": "info"}
    with running([sys.executable, str(EXAMPLES / f"{name}.py")], log, **own, **environment):
        eventually(lambda: "connected to the broker" in log.read_text(), f"{name} reading")
        yield


class FakeHelpdesk:
    """A helpdesk's REST API with two tickets: 7 is low-risk, 8 is not."""

    def __init__(self) -> None:
        self.tickets: dict[str, dict[str, Any]] = {
            "7": {"id": 7, "tags": ["low-risk"], "comments": []}, "8": {"id": 8, "tags": [], "comments": []},
        }  # fmt: skip
        helpdesk = self

        class Handler(BaseHTTPRequestHandler):
            def _ticket(self) -> dict[str, Any]:
                return helpdesk.tickets[self.path.rpartition("/")[2].removesuffix(".json")]

            def _answer(self, body: Any) -> None:
                raw = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def do_GET(self) -> None:
                self._answer({"ticket": self._ticket()})

            def do_PUT(self) -> None:
                changes = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["ticket"]
                self._ticket()["comments"].append(changes["comment"])
                self._ticket()["tags"] += changes["additional_tags"]
                self._answer({"ticket": self._ticket()})

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def tags(gatepost: Installation, mail: dict[str, Any]) -> dict[str, str]:
    return dict(gatepost.call("GET", f"/v1/emails/{mail['id']}")["tags"])


def test_the_sentiment_tagger(gatepost: Installation, tmp_path: Path) -> None:
    """A mail gets the tag that fits its words."""
    environment = {"TAGGER_API_URL": gatepost.http_url, "TAGGER_API_KEY": gatepost.keys["agent"]}
    with consumer(gatepost, "sentiment_tagger", ["email.received"], tmp_path / "log", **environment):
        for text, expected in (
            ("This is unacceptable, I am angry.", "negative"),
            ("Thank you, it is perfect!", "positive"),
        ):
            rfc = gatepost.write(text=text)
            mail = eventually(lambda rfc=rfc: gatepost.inbound(rfc), "the mail")
            assert expected == eventually(lambda mail=mail: tags(gatepost, mail).get("sentiment"), "the tag")


def test_the_crm_log(gatepost: Installation, tmp_path: Path) -> None:
    """Who wrote and who was answered, once each."""
    crm = tmp_path / "crm.sqlite"
    environment = {"CRM_API_URL": gatepost.http_url, "CRM_API_KEY": gatepost.keys["agent"], "CRM_FILE": str(crm)}
    with consumer(gatepost, "crm_log", ["email.received", "email.delivered"], tmp_path / "log", **environment):
        held = gatepost.held_for(gatepost.write(sender="Cleo <Cleo@customer.example>"))
        body = {"email_id": held["message_id"], "action": "approve", "revision": held["content_sha256"]}
        gatepost.call("POST", "/v1/oversight/decide", body, key="reviewer")

        def rows() -> Any:
            db = sqlite3.connect(crm)
            found = db.execute(
                "SELECT what FROM contact_event WHERE customer LIKE '%cleo@customer.example%'"
            ).fetchall()
            db.close()
            return found if len(found) >= 2 else None

        assert [("was answered",), ("wrote",)] == sorted(eventually(rows, "both rows"))


@pytest.mark.timeout(180)
def test_the_helpdesk_bridge(gatepost: Installation, tmp_path: Path) -> None:
    """A low-risk answer leaves by itself, another waits for a person, and what the customer writes is a comment, once."""
    helpdesk = FakeHelpdesk()
    box = gatepost.call("POST", "/v1/mailboxes", {"address": "bridge@demo.test"}, key="operator")
    environment = {
        "BRIDGE_API_URL": gatepost.http_url, "BRIDGE_HELPDESK_URL": helpdesk.url, "BRIDGE_AGENT_KEY": gatepost.keys["agent"],
        "BRIDGE_REVIEWER_KEY": gatepost.keys["reviewer"],
    }  # fmt: skip
    with consumer(gatepost, "helpdesk_bridge", ["email.received", "email.held"], tmp_path / "log", **environment):
        sent = {}
        for ticket in ("7", "8"):
            body = {"from": box["address"], "to": f"ada{ticket}@customer.example", "subject": f"Your ticket {ticket}",
                    "markdown": "It is solved.", "thread_id": f"zd-{ticket}"}  # fmt: skip
            sent[ticket] = gatepost.call("POST", "/send_email", body)
        left = eventually(
            lambda: next((m for m in gatepost.left() if header(m, "subject") == "Your ticket 7"), None),
            "the low-risk answer",
        )
        rfc = gatepost.write(
            to=box["address"], sender="ada7@customer.example", subject="Re: Your ticket 7", text="Thank you, solved.",
            in_reply_to=header(left, "message-id"),
        )  # fmt: skip
        comments = eventually(lambda: helpdesk.tickets["7"]["comments"], "the comment")
        mail = eventually(lambda: gatepost.inbound(rfc, mailbox_id=box["id"]), "the mail")
        assert "7" == eventually(lambda: tags(gatepost, mail).get("ticket"), "the tag")
        waiting = [m["id"] for m in gatepost.call("GET", "/list_pending?limit=100", key="reviewer")["messages"]]

    assert 1 == len(comments)
    assert "Thank you, solved." in comments[0]["body"]
    assert "customer-replied" in helpdesk.tickets["7"]["tags"]
    assert sent["8"]["id"] in waiting
    assert "Your ticket 8" not in [header(m, "subject") for m in gatepost.left()]
    helpdesk.server.shutdown()


def test_the_agent_in_flask(gatepost: Installation, tmp_path: Path) -> None:
    """By webhook and API: its draft waits at the gate, and a request without our signature gets nothing done."""
    box = gatepost.call("POST", "/v1/mailboxes", {"address": "flask@demo.test", "drafting": False}, key="operator")
    port = free_port()
    url = f"http://127.0.0.1:{port}/inbound"
    hook = gatepost.call(
        "POST", "/v1/webhooks", {"url": url, "events": ["email.received"], "mailbox": box["id"]}, key="operator"
    )
    environment = {
        "AGENT_API_URL": gatepost.http_url,
        "AGENT_KEY": gatepost.keys["agent"],
        "AGENT_WEBHOOK_SECRET": hook["signing_secret"],
    }
    command = [sys.executable, "-m", "flask", "--app", str(EXAMPLES / "flask_agent.py"), "run", "--port", str(port)]
    with running(command, tmp_path / "log", **environment):
        eventually(lambda: "Running on" in (tmp_path / "log").read_text(), "flask")
        rfc = gatepost.write(to=box["address"], subject="My order", text="Where is it?")
        mail = eventually(lambda: gatepost.inbound(rfc, mailbox_id=box["id"]), "the mail")

        def drafted() -> Any:
            page = gatepost.call("GET", f"/list_pending?mailbox_id={box['id']}", key="reviewer")["messages"]
            return next((m for m in page if m["original"]["id"] == mail["id"]), None)

        draft = eventually(drafted, "the agent's draft")
        forged = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "{}", url], capture_output=True, text=True
        )
    gatepost.call("DELETE", f"/v1/webhooks/{hook['id']}", key="operator")

    assert "My order" in draft["draft_body"]
    assert "401" == forged.stdout
