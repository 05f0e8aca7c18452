"""The table's second reader: the generated SQL on a real Postgres does what the services' evaluator says, in any world."""

from __future__ import annotations

import random

import asyncpg
import pytest

from gatepost_oversight.lifecycle import BY_ID, MOVES
from gatepost_oversight.move import Move, On
from gatepost_oversight.sql import SERVICES
from gatepost_oversight.states import DELIVERY_STATES, DERIVABLE, State
from support import births
from support.agreement import Database, ask
from support.world_facts import furnish
from support.worlds import PARENTS_FIRST, RandomWorld, sql

SEED = 20261124
ROWS = MOVES


async def _fill(world, count: int) -> list[RandomWorld]:
    generator = random.Random(SEED)
    worlds = [RandomWorld(n, random.Random(generator.random())) for n in range(count)]
    for each in worlds:
        furnish(each)
    batches: dict[str, list[list[object]]] = {}
    async with world.owner.transaction():
        await world.owner.execute("SET LOCAL session_replication_role = replica")  # worlds need not be reachable
        for each in worlds:
            for statement, values in sql(each):
                batches.setdefault(statement, []).append(values)
        for table in PARENTS_FIRST:
            for statement, rows in batches.items():
                if statement.startswith(f"INSERT INTO {table} "):
                    await world.owner.executemany(statement, rows)
    await world.owner.execute("ANALYZE")
    return worlds


async def _compare(world, worlds: list[RandomWorld], rounds: int) -> tuple[int, int, list[str]]:
    compared, moved, wrong = 0, 0, []
    for service in SERVICES:
        connection = await asyncpg.connect(world.server.url(f"gp_{service}", world.name))
        try:
            for row in (m for m in ROWS if service in m.services):
                for turn in range(rounds):
                    generator = random.Random(f"{SEED} {service} {row.id} {turn}")
                    of = births.ask if row.on is On.NEW else ask
                    asked = [a for w in worlds if (a := of(row, w, 0, generator)) is not None]
                    for n, a in enumerate(asked):
                        a.command["ord"] = n
                    if row.on is On.NEW:
                        wrong += await births.compare(connection, service, row, asked)
                    else:
                        wrong += await Database(connection, service).compare(row, asked)
                    compared += len(asked)
                    moved += sum(not a.failed for a in asked)
        finally:
            await connection.close()
    return compared, moved, wrong


async def test_a_sample_agrees(world) -> None:
    """Every row in a few hundred worlds; `make check` compares many more."""
    compared, _, wrong = await _compare(world, await _fill(world, 60), 1)

    assert [] == wrong[:5]
    assert compared > 1500


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_sql_and_python_agree_in_every_world(world) -> None:
    """Guards, refusals by name, new values, deliveries made and taken back, and the mail's state that follows."""
    compared, moved, wrong = await _compare(world, await _fill(world, 700), 2)
    print(f"\n{compared} comparisons of {len(ROWS)} rows, {moved} moved, {len(wrong)} differ")

    assert [] == wrong[:5]
    assert compared > 40_000
    assert moved > 1000


@pytest.mark.parametrize(
    ("row", "change", "there"),
    [
        ("T24", "d.used IS NOT TRUE", "NOT_USED"),
        ("T11", "IS DISTINCT FROM m.author", "NOT_AUTHOR"),
        ("W7", "ROLE", "ROLE"),
        ("W13", "settled", "SETTLED"),
    ],
)
async def test_a_difference_is_found(world, row: str, change: str, there: str) -> None:
    """The comparison itself can fail: one conjunct fewer in the database."""
    service = BY_ID[row].services[0]
    name = f"step_{service}"
    text = await world.owner.fetchval("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1", name)
    planted = _without(text, row, there)
    assert planted != text
    await world.owner.execute(planted)
    worlds = await _fill(world, 200)
    connection = await asyncpg.connect(world.server.url(f"gp_{service}", world.name))
    generator = random.Random(1)
    asked = [a for w in worlds if (a := ask(BY_ID[row], w, 0, generator)) is not None]
    for n, a in enumerate(asked):
        a.command["ord"] = n
    wrong = await Database(connection, service).compare(BY_ID[row], asked)
    await connection.close()

    assert any(there in text for text in wrong)
    assert change


def _without(text: str, row: str, conjunct: str) -> str:
    """The function with this conjunct of this row made true."""
    head, mark, tail = text.partition(f"IF c ? '{row}' THEN")
    end = tail.index(f"THEN '{conjunct}' END")
    start = tail.rindex("CASE WHEN", 0, end)
    return head + mark + tail[:start] + "CASE WHEN false " + tail[end:]


def mail_edges(row: Move, old: str, new: str) -> bool:
    """Whether the table lets this row write this pair of states on a mail."""
    match row.on:
        case On.MESSAGE:
            return old in row.src and new == row.dst
        case On.REVISION:
            return old == new and old in row.src
        case On.DELIVERY:
            return old == new or (old in DERIVABLE and new in {*DERIVABLE, State.REFUSED})
        case _:
            return False


def delivery_edges(row: Move, old: str, new: str) -> bool:
    """And on a delivery."""
    if row.takes_back is not None:
        return old in {"released", "deferred"} and new == row.takes_back
    return row.on is On.DELIVERY and old in row.src and new == row.dst


TABLES = {
    "message": (
        mail_edges,
        [s.value for s in State],
        {"api", "drafter", "gatekeeper", "sender"},
        "version = version + 1, ",
    ),
    "delivery": (delivery_edges, [s.value for s in DELIVERY_STATES], {"gatekeeper", "sender"}, ""),
}
_TRY = """
DO $do$
DECLARE r record; found text := '';
BEGIN
  FOR r IN SELECT m.id, m.state AS old, n.state AS new, w.row FROM {table} m, unnest('{states}'::text[]) n(state),
      unnest('{rows}'::text[]) w(row) WHERE m.id LIKE 'edge_%'
  LOOP
    BEGIN
      IF r.old = r.new THEN UPDATE {table} SET {more} last_row = r.row WHERE id = r.id;
      ELSE UPDATE {table} SET state = r.new, {more} last_row = r.row WHERE id = r.id; END IF;
      RAISE EXCEPTION 'undo' USING ERRCODE = 'GP999';
    EXCEPTION WHEN SQLSTATE 'GP999' THEN found := found || r.row || ' ' || r.old || ' ' || r.new || E'\n';
      WHEN SQLSTATE 'GP001' OR insufficient_privilege THEN NULL;
    END;
  END LOOP;
  PERFORM set_config('gatepost.found', found, false);
END $do$"""


async def _in_every_state(owner: asyncpg.Connection) -> None:
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        for state in State:
            await owner.execute(
                "INSERT INTO message (id, tenant_id, mailbox_id, thread_id, direction, state, last_row)"
                " SELECT $1, tenant_id, id, 'thr', 'outbound', $2, 'T05' FROM mailbox WHERE id <> 'mbx_system' LIMIT 1",
                f"edge_{state}", state,
            )  # fmt: skip
        for state in DELIVERY_STATES:
            await owner.execute(
                "INSERT INTO delivery (id, tenant_id, mailbox_id, message_id, thread_id, of_release, n, recipient, domain, state, last_row, due_at)"
                " SELECT $1, tenant_id, mailbox_id, id, thread_id, 1, 1, 'a@x.org', 'x.org', $2, 'T11', now() FROM message WHERE id = 'edge_released'",
                f"edge_{state}", state,
            )  # fmt: skip


@pytest.mark.check
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("service", SERVICES)
async def test_the_trigger_allows_the_edges_of_the_table_and_no_other(world, service: str, table: str) -> None:
    """Every row id with every pair of states, as each service: what the table has not, the database refuses."""
    edges, states, writers, more = TABLES[table]
    await _in_every_state(world.owner)
    connection = await asyncpg.connect(world.server.url(f"gp_{service}", world.name))
    text = _TRY.replace("{table}", table).replace("{more}", more).replace("{states}", "{" + ",".join(states) + "}")
    await connection.execute(text.replace("{rows}", "{" + ",".join(f'"{row}"' for row in (*BY_ID, "T23", "")) + "}"))
    said = await connection.fetchval("SELECT current_setting('gatepost.found')")
    await connection.close()
    wanted = {
        (row.id, old, new) for row in MOVES if service in row.services for old in states for new in states
        if service in writers and edges(row, old, new)
    }  # fmt: skip

    assert wanted == {tuple(line.split(" ")) for line in said.splitlines()}
    assert bool(wanted) == (service in writers)
