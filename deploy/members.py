"""Which folders of the workspace one member needs: itself and every library it reaches. Used by the Dockerfile."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {p.parent.name: p.parent for kind in ("libs", "services") for p in ROOT.glob(f"{kind}/*/pyproject.toml")}


def members(name: str) -> list[Path]:
    """The member's folder and those of its libraries, libraries first."""
    found: list[Path] = []

    def add(member: str) -> None:
        if member not in FOLDERS:
            raise SystemExit(f"no member {member!r}; one of: {' '.join(sorted(FOLDERS))}")
        project = tomllib.loads((FOLDERS[member] / "pyproject.toml").read_text())["project"]
        for dependency in project["dependencies"]:
            if dependency.startswith("gatepost-"):
                add(dependency.removeprefix("gatepost-"))
        if FOLDERS[member] not in found:
            found.append(FOLDERS[member])

    add(name)
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: members.py MEMBER")
    sys.stdout.write(" ".join(f"./{folder.relative_to(ROOT)}" for folder in members(sys.argv[1])) + "\n")
