"""`gatepost replay` on a running installation: what was then, what is now, and nothing that is different afterwards."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest

from support.installation import GATEPOST, Installation, eventually

MAILS = 12


def replay(installation: Installation, *words: str) -> tuple[int, list[dict[str, Any]]]:
    answer = subprocess.run(
        [str(GATEPOST), "replay", *words, "--json", "--data", str(installation.data)],
        capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert "Traceback" not in answer.stderr, answer.stderr
    return answer.returncode, [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]


async def _everything(installation: Installation) -> dict[str, Any]:
    owner = await asyncpg.connect(installation.info["database_url"])
    names = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    timed = {"outbox", "api_key", "api_use", "seen"}  # timers, and our own looking, write there; the tree's rows too
    found = {
        name: await owner.fetchval(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} t")
        for (name,) in map(tuple, names) if (name not in timed and not name.startswith("audit_")) or name == "audit_record"
    }  # fmt: skip
    await owner.close()
    client = await nats.connect(installation.info["nats_url"])
    for stream in ("EVENTS", "DEAD"):
        state = (await client.jetstream().stream_info(stream)).state
        found[stream] = (state.last_seq, state.messages)
    await client.close()
    return found


def everything(installation: Installation) -> dict[str, Any]:
    """Every table and both streams, once nothing is left to do."""
    eventually(lambda: installation.call("GET", "/v1/status", key="operator")["quiet"], "quiet")
    return asyncio.run(_everything(installation))


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Installation(tmp_path_factory.mktemp("replay") / "data").start()
    for n in range(MAILS):
        made.write(
            subject=f"Question {n}", sender=f"c{n}@customer.example", text="How long does delivery to Austria take?"
        )
    eventually(
        lambda: len(made.call("GET", "/list_pending?limit=100", key="reviewer")["messages"]) == MAILS, "all drafts"
    )
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
    """The same code on the same past decides the same; tables and streams are compared before and after."""
    before = everything(installation)
    code, outcomes = replay(installation, event, "--to", service)
    after = everything(installation)

    assert [o for o in outcomes if o["differs"]] == []
    assert (0, MAILS) == (code, len(outcomes))
    assert all(row is None or row in [step["row"] for step in o["now"]["steps"]] for o in outcomes)
    assert {name: (before[name], after[name]) for name in before if before[name] != after[name]} == {}


def test_a_change_of_behaviour_is_found(installation: Installation, tmp_path: Path) -> None:
    """Somebody changed the article that the answers come from: the text of each draft differs, and the exit code says so."""
    article = next(Path(p) for p in Path(__file__).parents[2].glob("libs/cli/src/gatepost_cli/samples/*ship*.md"))
    changed = tmp_path / article.name
    changed.write_text(article.read_text().replace("two to three", "ninety"))
    assert changed.read_text() != article.read_text()
    for path in (changed, article):
        subprocess.run(
            [str(GATEPOST), "mailbox", "knowledge", installation.mailbox["address"], str(path), "--data", str(installation.data)],
            check=True, capture_output=True,
        )  # fmt: skip
        code, outcomes = replay(installation, "email.received", "--to", "drafter", "--limit", "5")
        if path is changed:
            assert 1 == code
            assert all("ninety" in o["now"]["drafts"][0]["markdown"] for o in outcomes)
            assert all("two to three" in o["then"]["drafts"][0]["markdown"] for o in outcomes)
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
    before = everything(installation)
    answer = subprocess.run(
        [str(GATEPOST), "replay", "email.received", "--redeliver", "--data", str(installation.data)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    after = everything(installation)

    assert "go out again" in answer.stdout
    assert {n for n in before if before[n] != after[n]} <= {"EVENTS"}


def test_what_cannot_be_done_says_so(installation: Installation) -> None:
    for words in (["email.nonsense", "--to", "drafter"], ["email.received", "--to", "nobody"],
                  ["email.received", "--to", "drafter", "--id", "msg_none"], ["email.received", "--since", "yesterday"]):  # fmt: skip
        code, outcomes = replay(installation, *words)
        assert (2, []) == (code, outcomes)
