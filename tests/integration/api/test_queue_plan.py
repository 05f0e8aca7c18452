"""A page of the review queue costs the same however many drafts wait, and however much spam lies between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from bench.review_queue import fill, mailboxes

from gatepost_embedded.postgres import Postgres
from gatepost_store import Queries
from gatepost_store.migrate import ROLES, migrate

pytestmark = pytest.mark.check  # fills a queue of 20,000

TENANT, FEW, MANY = "ten_1", 2_000, 20_000
SPAM = (
    "INSERT INTO message (id, tenant_id, mailbox_id, thread_id, direction, state, last_row, raw_sha256, quarantined_for)"
    " SELECT 'msg_02' || lpad(n::text, 24, '0'), $1, $2, 'thr_x', 'inbound', 'quarantined', 'T02', n::text,"
    " CASE WHEN n % 1000 = 0 THEN '{gated_all}'::text[] ELSE '{spam}' END FROM generate_series(1, 20000) AS n"
)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("queue"), sync_new_files=False)
    server.start()
    yield server
    server.stop()


async def touched(owner: asyncpg.Connection, name: str, *arguments: Any) -> tuple[int, str]:
    """(pages read, the plan) of the statement as a prepared one runs after many calls."""
    statement = Queries.of("gatepost_api")[name].rstrip().rstrip(";")
    await owner.execute(f"PREPARE asked AS {statement}")
    told = ", ".join(
        "NULL" if a is None else f"'{{{','.join(a)}}}'" if isinstance(a, list) else repr(a) for a in arguments
    )
    try:
        for _ in range(12):
            await owner.fetch(f"EXECUTE asked ({told})")
        (found,) = json.loads(await owner.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE asked ({told})"))
    finally:
        await owner.execute("DEALLOCATE asked")
    plan = found["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], json.dumps(found)


async def test_a_page_costs_what_it_shows(postgres: Postgres) -> None:
    """Pages read by the account's, a mailbox's and a deep page at 2,000 and at 20,000 drafts, with 20,000 spam besides."""
    await migrate(postgres.url(), passwords=dict.fromkeys(ROLES, "x"))
    owner = await asyncpg.connect(postgres.url())
    try:
        await owner.execute("INSERT INTO tenant (id, name, slug) VALUES ($1, 'x', 'x')", TENANT)
        await owner.execute(
            "INSERT INTO principal (id, tenant_id, kind, name) VALUES ('prn_1', $1, 'agent', 'a')", TENANT
        )
        await owner.execute(
            "INSERT INTO api_key (id, tenant_id, principal_id, name, prefix, key_sha256, scopes)"
            " VALUES ('key_1', $1, 'prn_1', 'a', 'gp', 'x', '{send}')", TENANT,
        )  # fmt: skip
        boxes = await mailboxes(owner, TENANT, 20)
        asked = {
            "the account": ("pending_ids", (TENANT, None, None, None, True, 50, 0)),
            "further down": ("pending_ids", (TENANT, f"msg_01{FEW // 2:024d}", None, None, True, 50, 0)),
            "one mailbox": ("pending_ids_of", (TENANT, None, None, None, True, 50, 0, [boxes[3]])),
        }
        pages: dict[str, list[int]] = {name: [] for name in asked}
        for there, held in ((0, FEW), (FEW, MANY)):
            await fill(owner, TENANT, boxes, there, held)
            if there:
                await owner.execute("SET session_replication_role = replica")
                await owner.execute(SPAM, TENANT, boxes[3])
                await owner.execute("VACUUM ANALYZE message")
            for name, (statement, arguments) in asked.items():
                count, plan = await touched(owner, statement, *arguments)
                pages[name].append(count)
                assert '"Node Type": "Seq Scan"' not in plan, (name, plan)
    finally:
        await owner.close()

    for name, (few, many) in pages.items():
        assert many <= few * 2 + 40, pages
        assert many < 400, (name, pages)


def test_the_index_is_what_makes_it_so(postgres: Postgres) -> None:
    """Without the index of a mailbox's states the same page reads its way through the spam: the test above can fail."""

    async def without() -> int:
        owner = await asyncpg.connect(postgres.url())
        try:
            await owner.execute("BEGIN; DROP INDEX queue_mailbox; DROP INDEX queue_gated; DROP INDEX queue_held")
            asked = (TENANT, None, None, None, True, 50, 0, ["mbx_01" + f"{4:024d}"])
            return (await touched(owner, "pending_ids_of", *asked))[0]
        finally:
            await owner.execute("ROLLBACK")
            await owner.close()

    assert asyncio.run(without()) > 400
