"""`gatepost replay` on a running installation: what was then, what is now, and nothing that is different afterwards."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from bench.replay import bring_in

from support.installation import GATEPOST, Installation, eventually
from support.standstill import changed, everything, standing_still

pytestmark = pytest.mark.check  # an installation of its own, which stands still
MAILS = 200
TIMED = {"outbox", "api_key", "api_use", "rate_window", "audit_tree", "audit_checkpoint"}  # our own looking, and timers


def replay(installation: Installation, *words: str) -> tuple[int, list[dict[str, Any]]]:
    answer = subprocess.run(
        [str(GATEPOST), "replay", *words, "--json", "--data", str(installation.data)],
        capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert "Traceback" not in answer.stderr, answer.stderr
    return answer.returncode, [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]


def quiet(installation: Installation) -> None:
    """Nothing is left to do."""
    eventually(lambda: installation.call("GET", "/v1/status", key="operator")["quiet"], "quiet")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Installation(tmp_path_factory.mktemp("replay") / "data").start()
    bring_in(made, MAILS)
    quiet(made)
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("event", "service", "row"),
    [
        ("email.received", "drafter", "T05"),
        ("email.drafted", "gatekeeper", "T09"),
        ("email.received", "gatekeeper", None),
    ],
)
def test_now_is_as_then_and_nothing_is_touched(
    installation: Installation, event: str, service: str, row: str | None
) -> None:
    """The same code on the same past decides the same; every table and stream is compared before and after."""
    quiet(installation)
    with standing_still(installation):
        before = everything(installation)
        code, outcomes = replay(installation, event, "--to", service)
        after = everything(installation)

    assert [o for o in outcomes if o["differs"]] == []
    assert (0, MAILS) == (code, len(outcomes))
    assert all(row is None or row in [step["row"] for step in o["now"]["steps"]] for o in outcomes)
    assert changed(before, after) == {}


def test_a_change_of_behaviour_is_found(installation: Installation, tmp_path: Path) -> None:
    """Somebody changed an article: the drafts that quote it differ and no others, and the exit code says so."""
    article = next(Path(p) for p in Path(__file__).parents[2].glob("libs/cli/src/gatepost_cli/samples/*ship*.md"))
    edited = tmp_path / article.name
    edited.write_text(article.read_text().replace("two to three", "ninety"))
    assert edited.read_text() != article.read_text()
    for path in (edited, article):
        subprocess.run(
            [str(GATEPOST), "mailbox", "knowledge", installation.mailbox["address"], str(path), "--data", str(installation.data)],
            check=True, capture_output=True,
        )  # fmt: skip
        code, outcomes = replay(installation, "email.received", "--to", "drafter")
        if path is edited:
            told = {o["event_id"] for o in outcomes if o["differs"]}
            assert (1, MAILS // 10) == (code, len(told))
            assert told == {o["event_id"] for o in outcomes if "two to three" in o["then"]["drafts"][0]["markdown"]}
            assert told == {o["event_id"] for o in outcomes if "ninety" in o["now"]["drafts"][0]["markdown"]}
    assert 0 == code


def test_webhooks_then_and_now(installation: Installation) -> None:
    """The notifier's deliveries are compared by what they would say."""
    hook = {"url": "http://127.0.0.1:9/x", "events": ["email.received"]}
    made = installation.call("POST", "/v1/webhooks", hook, key="operator")
    rfc = installation.write(subject="For the hook")
    mail = eventually(lambda: installation.inbound(rfc), "the mail")
    eventually(
        lambda: installation.call("GET", f"/v1/webhook-deliveries?message_id={mail['id']}", key="operator")["matched"],
        "row",
    )
    code, (outcome,) = replay(installation, "email.received", "--to", "notifier", "--id", mail["id"])
    installation.call("DELETE", f"/v1/webhooks/{made['id']}", key="operator")

    assert (0, 1) == (code, len(outcome["now"]["webhooks"]))
    assert outcome["then"]["webhooks"] == outcome["now"]["webhooks"]


def test_one_file_is_enough(installation: Installation, tmp_path: Path) -> None:
    """A capture carries the rows it needs: it replays where the mail never was."""
    rfc = installation.write(subject="A bug", text="How long does delivery to Austria take?")
    mail = eventually(lambda: installation.inbound(rfc), "the mail")
    installation.held_for(rfc)
    path = tmp_path / "bug.jsonl"
    replay(installation, "email.received", "--id", mail["id"], "--capture", str(path))

    async def forget() -> None:
        owner = await asyncpg.connect(installation.info["database_url"])
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(
            "DELETE FROM audit_record WHERE subject_id IN (SELECT id FROM message WHERE thread_id = $1)",
            mail["thread_id"],
        )
        await owner.execute("DELETE FROM message WHERE thread_id = $1", mail["thread_id"])
        await owner.execute("DELETE FROM thread WHERE id = $1", mail["thread_id"])
        await owner.close()

    asyncio.run(forget())
    code, (outcome,) = replay(installation, "--from-file", str(path), "--to", "drafter")

    assert (0, None, False) == (code, outcome["error"], outcome["differs"])
    assert "two to three working days" in outcome["now"]["drafts"][0]["markdown"]
    assert 0o600 == path.stat().st_mode & 0o777


def test_redelivered_for_real_changes_nothing(installation: Installation) -> None:
    """The events go out again by their owners, and every consumer has seen them."""
    quiet(installation)
    before = everything(installation)
    answer = subprocess.run(
        [str(GATEPOST), "replay", "email.received", "--redeliver", "--data", str(installation.data)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    quiet(installation)
    touched = {name for name in changed(before, everything(installation)) if not name.startswith("EVENTS")}

    assert "go out again" in answer.stdout
    assert touched <= TIMED


def test_what_cannot_be_done_says_so(installation: Installation) -> None:
    for words in (["email.nonsense", "--to", "drafter"], ["email.received", "--to", "nobody"],
                  ["email.received", "--to", "drafter", "--id", "msg_none"], ["email.received", "--since", "yesterday"]):  # fmt: skip
        code, outcomes = replay(installation, *words)
        assert (2, []) == (code, outcomes)
