"""The committed schemas are those of the models, and nothing published is broken by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_contracts.schemas import broken, schemas, text, write

ROOT = Path(__file__).parents[2]
SNAPSHOTS = ROOT / "libs" / "contracts" / "schemas"
AGAIN = "run: .venv/bin/python -m gatepost_contracts.schemas libs/contracts/schemas"


def test_nothing_that_others_read_is_broken() -> None:
    """An event recorded last year parses, and a consumer of last year parses what we publish now."""
    assert broken(SNAPSHOTS) == []


@pytest.mark.parametrize("name", schemas())
def test_the_snapshot_is_of_today(name: str) -> None:
    """A change of a contract is seen in the diff, where a reviewer looks."""
    path = SNAPSHOTS / f"{name}.json"

    assert path.exists(), AGAIN
    assert text(schemas()[name]) == path.read_text(encoding="utf-8"), AGAIN


def test_no_snapshot_is_left_over() -> None:
    """A type that is gone would be a broken promise."""
    assert set(schemas()) == {path.stem for path in SNAPSHOTS.glob("*.json")}


def test_writing_refuses_to_break(tmp_path: Path) -> None:
    """The tool that would hide a breakage does not."""
    write(tmp_path)
    path = tmp_path / "email.held.json"
    old = json.loads(path.read_text())
    old["properties"]["gone"] = {"type": "string"}
    path.write_text(text(old))

    with pytest.raises(ValueError, match=r"gone: the field is gone"):
        write(tmp_path)

    assert "gone" in path.read_text()


def test_each_field_that_is_an_id_says_so() -> None:
    """A bare string would let one kind of id stand where another belongs."""
    for event_type, model in EVENTS_BY_TYPE.items():
        found = model.model_json_schema()["properties"]
        for name in found:
            if name.endswith("_id") and name not in {"event_id", "subject_id", "about_event_id"}:
                assert "pattern" in json.dumps(found[name]), f"{event_type}.{name}"
