"""What `gatepost why` says of a step."""

from __future__ import annotations

from gatepost_cli.why import lines


def test_an_arrival_is_told_with_its_grounds() -> None:
    why = {"spf": "pass", "dkim": ["c.example: fail"], "arc": "none", "dmarc": "fail", "verified_domain": None, "thread": "new",
           "named_by": "token", "refused": "not_a_participant", "related_thread_id": "thr_1", "automatic": ["list"],
           "flags": ["lookalike"], "defects": ["bad_base64"]}  # fmt: skip
    link = {"seq": 1, "at": "2026-01-01T00:00:00Z", "event": "receive", "row": "T01", "from": None, "to": "received",
            "role": "system", "actor": "ingest", "emits": ["email.received"], "data": {"why": why, "reasons": ["loop"]}}  # fmt: skip
    said = "\n".join(lines(link))

    for words in ("receive (T01): new -> received, by system ingest", "because of loop", "DKIM c.example: fail",
                  "author proven: no", "signed Message-ID", "neither wrote on that thread", "thr_1", "list", "lookalike",
                  "bad_base64", "told as email.received"):  # fmt: skip
        assert words in said


def test_a_step_without_grounds_is_one_line() -> None:
    assert (
        len(
            list(
                lines({"seq": 2, "event": "pass", "row": "T08", "from": "drafted", "to": "released", "role": "system"})
            )
        )
        == 1
    )
