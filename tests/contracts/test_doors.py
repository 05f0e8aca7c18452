"""The published interface, row by row, against the routes that run: what clients were promised answers."""

from __future__ import annotations

import re
from pathlib import Path

from gatepost_api.access import routes

ROWS = Path(__file__).with_name("rest_rows.tsv")
NOT_YET = Path(__file__).with_name("rest_rows_not_yet.txt")


def promised() -> dict[tuple[str, str], str]:
    """(method, path) -> must or should."""
    lines = [line.split("\t") for line in ROWS.read_text().splitlines() if line]
    return {(method, path): priority for priority, method, path in lines}


def served() -> set[tuple[str, str]]:
    return {(r.method, re.sub(r"{\w+}", "{}", r.path)) for r in routes()}


def not_yet() -> set[tuple[str, str]]:
    """Rows that no release has served so far; the list only shrinks."""
    found = set()
    for line in NOT_YET.read_text().splitlines():
        if line and not line.startswith("#"):
            method, path = line.split()
            found.add((method, path))
    return found


def test_every_promised_row_answers() -> None:
    """A client that was written for the published interface finds each path."""
    assert sorted(promised().keys() - served() - not_yet()) == []


def test_only_what_was_promised_is_called_missing() -> None:
    """A misspelled row in the list would hide nothing and look like a debt."""
    assert sorted(not_yet() - promised().keys()) == []
