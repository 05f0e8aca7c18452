"""What ties the lines of one mail's way together, and what no line may hold."""

from __future__ import annotations

import json
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from gatepost_contracts.email import EmailExpired
from gatepost_runtime import redact
from gatepost_runtime.tracing import Flows

ULID = "01JD0000000000000000000000"


def expired(message: str = ULID, thread: str = "thr_a") -> EmailExpired:
    return EmailExpired.model_validate(
        {
            "event_id": f"msg_{message}.1.email.expired", "occurred_at": "2026-01-01T00:00:00Z", "tenant_id": f"ten_{ULID}",
            "mailbox_id": f"mbx_{ULID}", "subject_id": f"msg_{message}", "seq": 1, "message_id": f"msg_{message}",
            "thread_id": thread,
        }
    )  # fmt: skip


def test_what_is_published_later_still_belongs_to_the_story() -> None:
    """The group commit publishes from its own task, long after the handler's context is gone."""
    flows = Flows("test")
    with flows.follow("x", {"correlation_id": "story"}, expired(), "evt-1") as flow:
        inside = flows.headers(expired())
    later = flows.headers(expired())

    assert inside == later
    assert ("story", "evt-1", flow.carrier["traceparent"]) == tuple(
        later[h] for h in ("correlation_id", "causation_id", "traceparent")
    )


def test_another_mail_of_the_thread_belongs_to_it_too() -> None:
    """The answer is another message of the same thread."""
    flows = Flows("test")
    with flows.follow("x", None, expired(), "evt-1"):
        pass

    assert flows.headers(expired("01JD0000000000000000000009"))["correlation_id"] == "thr_a"
    assert flows.headers(expired("01JD0000000000000000000009"))["causation_id"] == "evt-1"
    assert "causation_id" not in flows.headers(expired("01JD0000000000000000000009", "thr_b"))


def test_the_trace_goes_on() -> None:
    """W3C trace context in, the same trace out."""
    flows = Flows("test")
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with flows.follow("x", {"traceparent": parent}, expired(), "evt-1"):
        headers = flows.headers(expired())

    assert headers["traceparent"].startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    assert parent != headers["traceparent"]


@given(st.text(max_size=300))
def test_a_header_from_outside_cannot_inject(value: str) -> None:
    """Whatever stands there becomes a printable word of ours or is left out."""
    flows = Flows("test")
    with flows.follow("x", {"correlation_id": value, "traceparent": value}, expired(), "evt-1") as flow:
        assert flow.correlation_id.isprintable() and flow.correlation_id.isascii()
        assert len(flow.correlation_id) <= 200


def test_an_address_is_not_shown() -> None:
    """The same person looks the same, and nobody can be written to."""
    assert redact("Ada@customer.example") == redact("ada@customer.example")
    assert "ada" not in redact("ada@customer.example").lower()
    assert redact("ada@customer.example").endswith("@customer.example")
    assert "" == redact(None) == redact("")


def test_every_line_is_one_json_object() -> None:
    """Ours, those of libraries, and traces; a log shipper reads nothing else."""
    code = (
        "import logging\n"
        "from gatepost_runtime.logging import configure, get_logger\n"
        "early = get_logger()\n"
        "configure('test', 'info')\n"
        "early.info('held', message_id='msg_1')\n"
        "early.debug('unseen')\n"
        "logging.getLogger('library').warning('two\\nlines')\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    early.exception('failed')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert [line["event"] for line in lines] == ["held", "two\nlines", "failed"]
    assert {"test"} == {line["service"] for line in lines}
    assert "ZeroDivisionError" in lines[2]["exception"]
    assert done.stderr == ""


def test_a_conversation_has_one_trace_whoever_handles_it_and_when() -> None:
    """A decision a week later comes from another process, which remembers nothing."""
    first, later = Flows("ingest"), Flows("gatekeeper")
    begun = first.headers(expired())["traceparent"].split("-")[1]
    with later.follow("decide", None, None, "cmd_1"):
        decided = later.headers(expired())

    assert begun == decided["traceparent"].split("-")[1]
    assert decided["causation_id"] == "cmd_1"
    assert begun != first.headers(expired("01JD0000000000000000000009", "thr_b"))["traceparent"].split("-")[1]


def test_the_exporter_is_imported_only_when_there_is_a_collector() -> None:
    """It costs 0.1 s and some megabytes in every process."""
    code = (
        "import sys; from gatepost_runtime.tracing import Flows; Flows('x').close();"
        "assert not [m for m in sys.modules if m.startswith(('opentelemetry.exporter', 'google.protobuf', 'requests'))];"
        "Flows('x', url='http://127.0.0.1:1/v1/traces').close();"
        "assert 'opentelemetry.exporter.otlp.proto.http.trace_exporter' in sys.modules"
    )

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
