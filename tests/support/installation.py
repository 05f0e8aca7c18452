"""A whole Gatepost of our own for tests: real processes on free ports, in a folder of its own, ended by pid."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Any, TypeVar

from gatepost_embedded import pact
from support.trace import check_trace

T = TypeVar("T")
GATEPOST = Path(sys.executable).with_name("gatepost")


def eventually(look: Callable[[], T | None], what: str, within_s: float = 60) -> T:
    """The first truthy answer; fails by naming what never came."""
    until = time.monotonic() + within_s
    last: object = None
    while time.monotonic() < until:
        try:
            if found := look():
                return found
        except (OSError, urllib.error.URLError) as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {within_s:.0f} s (last: {last})")


class Refused(Exception):
    """The API said no."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body = status, body


class Installation:
    """A running `gatepost up` and ways to talk to it."""

    def __init__(self, data: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.arguments: Sequence[str] = arguments
        self.ready_file = data / "ready.json"
        self.environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, within_s: float = 180) -> Installation:
        self.data.mkdir(parents=True, exist_ok=True)
        self.ready_file.unlink(missing_ok=True)
        self.output = (self.data / "up.out").open("ab")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GATEPOST_")}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", pact.__file__, str(os.getpid()), str(int(signal.SIGTERM)),  # a test run that is killed leaves nothing
             str(GATEPOST), "up", "--data", str(self.data), "--http-port", "0", "--smtp-port", "0",
             "--ready-file", str(self.ready_file), *self.arguments],
            stdout=self.output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=kept | self.environment,
        )  # fmt: skip
        until = time.monotonic() + within_s
        while not self.ready_file.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                if self.process.poll() is None:
                    self.stop()
                raise AssertionError(f"gatepost up did not come up:\n{(self.data / 'up.out').read_text()[-4000:]}")
            time.sleep(0.05)
        self.info = json.loads(self.ready_file.read_text())
        self.http_url: str = self.info["http_url"]
        self.smtp = (self.info["smtp"]["host"], int(self.info["smtp"]["port"]))
        self.mailbox: dict[str, str] = self.info["mailbox"]
        self.keys: dict[str, str] = self.info["keys"]
        self.catcher_url: str | None = self.info.get("catcher_url")
        return self

    def stop(self) -> int:
        """End it, after a look whether its log leads to its rows."""
        assert self.process is not None
        if self.process.poll() is None:
            check_trace(self.info["database_url"], is_live=True)
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.output.close()
        return code

    @property
    def pids(self) -> dict[str, int]:
        return dict(json.loads(self.ready_file.read_text())["pids"])

    def mailbox_in(self, mode: str) -> dict[str, str]:
        """The mailbox of the ready file that is in this mode."""
        return next(m for m in self.info["mailboxes"] if m["mode"] == mode)

    # -- the doors -------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, *, key: str = "agent") -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.http_url + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {self.keys.get(key, key)}")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=15) as reply:
                return dict(json.load(reply))
        except urllib.error.HTTPError as error:
            raw = error.read()
            try:
                content = json.loads(raw)
            except ValueError:
                content = {"raw": raw.decode(errors="replace")}
            raise Refused(error.code, content) from None

    def write(
        self, *, to: str | None = None, sender: str = "Ada Customer <ada@customer.example>", subject: str = "A question",
        text: str = "How long does delivery take?", in_reply_to: str | None = None, references: str | None = None,
        message_id: str | None = None,
    ) -> str:  # fmt: skip
        """Send a mail in over SMTP; its Message-ID."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, to or self.mailbox["address"], subject
        mail["Message-ID"] = message_id or make_msgid(domain="customer.example")
        if in_reply_to:
            mail["In-Reply-To"] = in_reply_to
            mail["References"] = references or in_reply_to
        mail.set_content(text)
        with smtplib.SMTP(*self.smtp, timeout=15) as smtp:
            smtp.send_message(mail)
        return str(mail["Message-ID"])

    def left(self) -> list[dict[str, Any]]:
        """What the catcher took, oldest first."""
        with urllib.request.urlopen(f"{self.catcher_url}/api/messages", timeout=15) as reply:
            content = json.load(reply)
        return list(content["messages"] if isinstance(content, dict) else content)

    def left_in_reply_to(self, rfc_message_id: str) -> list[dict[str, Any]]:
        return [m for m in self.left() if header(m, "in-reply-to") == rfc_message_id]

    def held_for(self, rfc_message_id: str, *, within_s: float = 60) -> dict[str, Any]:
        """The held draft that answers this mail."""

        def look() -> dict[str, Any] | None:
            for item in self.call("GET", "/list_pending?limit=100", key="reviewer")["messages"]:
                if (item.get("original") or {}).get("rfc_message_id") == rfc_message_id:
                    return dict(item)
            return None

        return eventually(look, f"a held draft answering {rfc_message_id}", within_s)

    def inbound(self, rfc_message_id: str, *, mailbox_id: str | None = None) -> dict[str, Any] | None:
        """The stored mail of this Message-ID."""
        page = self.call(
            "GET", f"/check_inbox?mailbox_id={mailbox_id or self.mailbox['id']}&limit=100&direction=inbound"
        )
        return next((m for m in page["messages"] if m["rfc_message_id"] == rfc_message_id), None)


def header(mail: dict[str, Any], name: str) -> str:
    """The value of a header of a caught mail; empty when absent."""
    return next((" ".join(v.split()) for k, v in mail["headers"] if k.lower() == name), "")
