"""The mails that were taken, a file each, and what can be said of them."""

from __future__ import annotations

import email
import json
import os
import time
from collections.abc import Callable
from email import policy
from pathlib import Path
from typing import Any

from gatepost_embedded.files import private_folder, sync_folder
from gatepost_mail import dkim
from gatepost_mail.headers import decode_words
from gatepost_mail.parse import parse


class Kept:
    """A folder of mails; each is on disk before its 250."""

    def __init__(self, folder: Path, records: Path | None) -> None:
        self.folder = private_folder(folder)
        self._records = records
        self._known: dict[str, dict[str, Any]] = {}

    def keep(self, envelope_from: str, rcpt_to: list[str], raw: bytes) -> str:
        """Store a mail durably; its id, which sorts by arrival."""
        number = f"{time.time_ns():020d}"
        head = json.dumps({"envelope_from": envelope_from, "rcpt_to": rcpt_to, "received_at": time.time()})
        draft = self.folder / f".{number}"
        with draft.open("wb") as file:
            file.write(head.encode() + b"\n" + raw)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.folder / f"{number}.mail")
        sync_folder(self.folder)
        return number

    def ids(self) -> list[str]:
        """All mails, oldest first."""
        return sorted(path.stem for path in self.folder.glob("*.mail"))

    def raw(self, number: str) -> bytes | None:
        """The bytes as they came."""
        found = self._read(number)
        return found[1] if found else None

    def view(self, number: str) -> dict[str, Any] | None:
        """What the page and the API show of one mail."""
        if number in self._known:
            return self._known[number]
        found = self._read(number)
        if found is None:
            return None
        head, raw = found
        parsed = parse(raw)
        message = email.message_from_bytes(raw, policy=policy.compat32)
        checks = [vars(check) for check in dkim.verify(raw, self._lookup())]
        view = {
            "id": number,
            **head,
            "headers": [[name, decode_words(str(value))] for name, value in message.items()],
            "subject": parsed.subject,
            "text": parsed.text,
            "html": parsed.html,
            "attachments": [
                {"name": a.name, "content_type": a.content_type, "size": a.size, "sha256": a.sha256}
                for a in parsed.attachments
            ],
            "dkim": checks,
            "raw_sha256": parsed.sha256,
        }
        if all(check["result"] in {"pass", "fail"} for check in checks):
            self._known[number] = view
        return view

    def clear(self) -> int:
        """Forget all mails; how many there were."""
        numbers = self.ids()
        for number in numbers:
            (self.folder / f"{number}.mail").unlink(missing_ok=True)
        self._known.clear()
        return len(numbers)

    def _read(self, number: str) -> tuple[dict[str, Any], bytes] | None:
        if not number.isdigit():
            return None
        try:
            head, _, raw = (self.folder / f"{number}.mail").read_bytes().partition(b"\n")
        except OSError:
            return None
        return json.loads(head), raw

    def _lookup(self) -> Callable[[str], str | None]:
        """DKIM records from the sender's file, read anew each time: keys come while we run."""
        if self._records is None:
            return lambda _: None
        try:
            records: dict[str, str] = json.loads(self._records.read_text("utf-8"))
        except (OSError, ValueError):
            return lambda _: None
        return records.get
