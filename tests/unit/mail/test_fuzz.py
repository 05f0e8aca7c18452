"""Every parser against bytes that mean nothing and words that mean too much: none raises, and a thread stays a thread."""

from __future__ import annotations

import pytest
from bench.hostile_letters import NASTY
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_mail.threading import Candidate, choose_thread
from support.fuzz_targets import TARGETS

BYTES = st.lists(st.one_of(st.binary(max_size=12), st.sampled_from(NASTY)), max_size=40).map(b"".join)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None)
@given(data=BYTES)
def test_it_never_raises(name: str, data: bytes) -> None:
    TARGETS[name](data)


PEOPLE = st.sampled_from(["ada@c.example", "carl@c.example", "mallory@evil.example", ""])
NAMED = st.lists(
    st.builds(
        Candidate, st.sampled_from(["thr_1", "thr_2", "thr_3"]), st.frozensets(PEOPLE.filter(bool), max_size=3),
        st.just("msg_1"), st.sampled_from(["token", "plus_address", "reference", "provider"]),
    ), max_size=6,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(NAMED, PEOPLE, st.booleans())
def test_only_somebody_on_a_thread_whose_mail_is_not_disowned_joins_it(
    named: list[Candidate], sender: str, disowned: bool
) -> None:
    """Whatever a mail names, in whatever order and as often as it likes."""
    choice = choose_thread(named, sender, is_disowned=disowned)

    if choice.thread_id is not None:
        assert not disowned
        assert any(c.thread_id == choice.thread_id and sender in c.participants for c in named)
    elif named:
        assert choice.related_thread_id in {c.thread_id for c in named}
        assert choice.refused
