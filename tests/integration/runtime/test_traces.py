"""One trace per conversation, from SMTP to the reply of a webhook, at a collector of our own that speaks OTLP."""

from __future__ import annotations

import gzip
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gatepost_runtime.spans import trace_id_of
from support.installation import GATEPOST, Installation, eventually
from support.receiver import Receiver

pytestmark = pytest.mark.check  # starts processes of its own, again and again


class Collector:
    """Keeps (service, span) of whatever is exported to it."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                raw = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
                for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
                    names = {a.key: a.value.string_value for a in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        collector.spans += [(names["service.name"], span) for span in scope.spans]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, thread: str) -> list[tuple[str, Any]]:
        wanted = trace_id_of(thread).to_bytes(16)
        return [(service, span) for service, span in list(self.spans) if span.trace_id == wanted]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def why(gatepost: Installation, message_id: str) -> str | None:
    """`gatepost why`, once it tells that the webhook arrived."""
    told = subprocess.run(
        [str(GATEPOST), "why", message_id, "--data", str(gatepost.data)], capture_output=True, text=True, check=True
    ).stdout
    return told if "of email.delivered: delivered, 200, 1 attempt\n" in told else None


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.mark.timeout(180)
def test_a_mail_is_one_trace_from_smtp_to_the_webhooks_reply(collector: Collector, tmp_path: Path) -> None:
    """Through every service, with a person's decision in the middle."""
    receiver = Receiver()
    environment = {"GATEPOST_OTLP_URL": collector.url}
    gatepost = Installation(tmp_path / "data", environment=environment).start()
    try:
        gatepost.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["email.delivered"]}, key="operator")
        held = gatepost.held_for(gatepost.write())
        body = {"email_id": held["message_id"], "action": "approve", "revision": held["content_sha256"]}
        gatepost.call("POST", "/v1/oversight/decide", body, key="reviewer")
        eventually(lambda: receiver.events(event="email.delivered"), "the webhook")
        thread = held["thread_id"]
        eventually(lambda: [1 for _, span in collector.of(thread) if span.name == "webhook"], "the webhook's span")
        told = eventually(lambda: why(gatepost, held["message_id"]), "the delivery in the plain-text form")
        services = {"ingest", "drafter", "gatekeeper", "sender", "notifier"}
        eventually(lambda: [1 for _, span in collector.of(thread) if span.name == "smtp"], "the attempt's span")
        eventually(
            lambda: services <= {service.removeprefix("gatepost-") for service, _ in collector.of(thread)}, "all spans"
        )
    finally:
        gatepost.stop()
        receiver.close()

    spans = sorted(collector.of(thread), key=lambda one: one[1].start_time_unix_nano)
    names = [span.name for _, span in spans]
    way = [
        "email.received",
        "drafter_email_received",
        "gatekeeper_email_drafted",
        "sender_email_released",
        "smtp",
        "webhook",
    ]
    assert way == list(dict.fromkeys(name for name in names if name in way))
    assert {"smtp": "gatepost-sender", "webhook": "gatepost-notifier", "email.received": "gatepost-ingest"} == {
        span.name: service for service, span in spans if span.name in {"smtp", "webhook", "email.received"}
    }
    known = {span.span_id for _, span in spans}
    assert [] == [span.name for _, span in spans if span.parent_span_id and span.parent_span_id not in known]
    assert f"trace {trace_id_of(thread):032x}" in told
