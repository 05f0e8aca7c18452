"""The doors of a running installation, one HTTP client for each of its keys."""

from __future__ import annotations

import itertools
import time
from typing import Any

import httpx2

from support.installation import eventually

numbers = itertools.count(int(time.time() * 1000))


class Doors:
    """One HTTP client per key."""

    def __init__(self, gatepost: Any) -> None:
        limits = httpx2.Limits(max_connections=60)
        self.by = {
            name: httpx2.Client(
                base_url=gatepost.http_url,
                headers={"Authorization": f"Bearer {key}"},
                timeout=30,
                trust_env=False,
                limits=limits,
            )
            for name, key in gatepost.keys.items()
        } | {"nobody": httpx2.Client(base_url=gatepost.http_url, timeout=30, trust_env=False)}

    def __getitem__(self, name: str) -> httpx2.Client:
        return self.by[name]

    def send(self, box: dict[str, Any], **more: Any) -> httpx2.Response:
        body = {
            "from": box["address"],
            "to": "c@customer.example",
            "subject": "Hi",
            "body": f"Hello {next(numbers)}",
        } | more
        return self["agent"].post("/send_email", json=body)

    def held(self, box: dict[str, Any], **more: Any) -> dict[str, Any]:
        sent = self.send(box, **more).json()

        def look() -> dict[str, Any] | None:
            page = self["reviewer"].get("/list_pending", params={"mailbox_id": box["id"]}).json()["messages"]
            return next((m for m in page if m["id"] == sent["id"]), None)

        return eventually(look, "the held mail")

    def close(self) -> None:
        for client in self.by.values():
            client.close()
