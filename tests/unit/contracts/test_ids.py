"""Ids sort by time, say what they name, and never repeat."""

from __future__ import annotations

import re
import threading

import pytest
from pydantic import TypeAdapter, ValidationError

from gatepost_contracts import ids
from gatepost_contracts.ids import new_id


def test_ids_of_one_process_increase() -> None:
    """`since_id` means strictly later, even inside one millisecond."""
    made = [new_id("msg") for _ in range(20_000)]

    assert sorted(set(made)) == made


def test_ids_made_in_threads_never_repeat() -> None:
    """Parsing runs off the loop."""
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(new_id("evt") for _ in range(2_000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 8_000


def test_an_id_has_a_prefix_and_26_characters_of_crockford() -> None:
    """No I, L, O or U, so that it can be read out."""
    assert re.fullmatch(r"mbx_[0-9A-HJKMNP-TV-Z]{26}", new_id("mbx"))


def test_a_clock_that_goes_back_does_not_break_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Order is by receive sequence; a leap of the clock must not put a new mail before an old one."""
    before = new_id("msg")
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)

    assert new_id("msg") > before


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("MessageId", "msg_01JD0000000000000000000000", "msg_1"),
        ("MailboxId", "mbx_system", "mbx_other"),
        ("ThreadId", "zd-12345", "zd 12345"),
        ("DeliveryId", "msg_01JD0000000000000000000000.1.2", "msg_01JD0000000000000000000000"),
        ("KeyId", "key_01JD0000000000000000000000", "msg_01JD0000000000000000000000"),
    ],
)
def test_an_id_of_another_kind_is_refused(kind: str, good: str, bad: str) -> None:
    """A typed id is a check, not a comment."""
    adapter: TypeAdapter[str] = TypeAdapter(getattr(ids, kind))
    assert good == adapter.validate_python(good)

    with pytest.raises(ValidationError):
        adapter.validate_python(bad)
