"""The short form of `python -m bench.hostile_wire`: hostile peers, and nothing fails, hangs or is taken wrongly."""

from __future__ import annotations

from pathlib import Path

from bench.hostile_wire import run


async def test_hostile_conversations_break_nothing(tmp_path: Path) -> None:
    table = await run(300, 1, tmp_path / "hostile")

    assert {n: table[n] for n in ("failures", "not a reply", "wrong mails", "left open")} == {
        "failures": 0, "not a reply": 0, "wrong mails": 0, "left open": 0,
    }, table["first failure"]  # fmt: skip
    assert int(str(table["mails taken"])) > 100
