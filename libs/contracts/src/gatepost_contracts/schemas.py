"""The JSON Schema of every event and command, as committed in `libs/contracts/schemas/`.

`python -m gatepost_contracts.schemas FOLDER` writes them, and refuses to write over one that the change would break.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_contracts.commands import COMMANDS, CommandReply
from gatepost_contracts.compatibility import breaks


def schemas() -> dict[str, dict[str, Any]]:
    """By file name without its ending: the event type, `cmd.<server>.<name>`, and `cmd.reply`."""
    found = {event_type: model.model_json_schema() for event_type, model in EVENTS_BY_TYPE.items()}
    found |= {f"cmd.{name}": model.model_json_schema() for name, model in COMMANDS.items()}
    found["cmd.reply"] = CommandReply.model_json_schema()
    return found


def text(schema: dict[str, Any]) -> str:
    """As it stands in a file."""
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def broken(folder: Path) -> list[str]:
    """What the models of today break of what is in the folder."""
    now = schemas()
    told = []
    for path in sorted(folder.glob("*.json")):
        if path.stem not in now:
            told.append(f"{path.stem}: it is gone")
        else:
            old = json.loads(path.read_text(encoding="utf-8"))
            told += [f"{path.stem}: {reason}" for reason in breaks(old, now[path.stem])]
    return told


def write(folder: Path) -> None:
    """Bring the folder up to date; raises ValueError and writes nothing when that would break somebody."""
    if told := broken(folder):
        raise ValueError("\n".join([*told, "make a .v2 beside it instead"]))
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / f"{name}.json").write_text(text(schema), encoding="utf-8")


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]))
    except ValueError as refusal:
        sys.exit(str(refusal))
