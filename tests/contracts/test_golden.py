"""Events as they were recorded once still mean the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_contracts.event import Event

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDED = sorted(GOLDEN.glob("v*/*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_recorded_event_parses_and_says_the_same(path: Path) -> None:
    """Old fields keep their values; new ones have their defaults. These files are never edited, only added to."""
    recorded = json.loads(path.read_text())
    event: Event = EVENTS_BY_TYPE[path.stem].decode(path.read_bytes())

    said = json.loads(event.encode())
    assert recorded == {name: said[name] for name in recorded}
    assert f"{path.stem}.{recorded['mailbox_id']}" == event.subject


@pytest.mark.parametrize("event_type", EVENTS_BY_TYPE)
def test_every_type_has_been_recorded(event_type: str) -> None:
    """A new type brings its golden file with it."""
    assert event_type in {path.stem for path in RECORDED}


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_the_least_that_could_be_recorded_parses_too(path: Path) -> None:
    """Every field with a default may be missing from an old body."""
    model = EVENTS_BY_TYPE[path.stem]
    recorded = json.loads(path.read_text())
    least = {n: recorded[n] for n, field in model.model_fields.items() if field.is_required()}

    assert model.decode(json.dumps(least).encode()).event_id == recorded["event_id"]
