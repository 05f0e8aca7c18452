"""The README shows what is there: its snippets are the files they name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_agent_in_the_readme_is_the_example() -> None:
    """It is run by tests/e2e; the page shows the same lines."""
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)

    assert code is not None
    assert code[1].strip() in (ROOT / "examples/agent.py").read_text()


def test_every_path_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`((?:tests|docs|deploy|examples|bench|libs|services)/[\w./-]+)`", README))

    assert len(named) > 5
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"make ([a-z0-9-]+)", README)) - {"nothing"} <= targets
