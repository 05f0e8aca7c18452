"""How fast the log takes records, beside what the same database does bare: `python -m bench.log [--records N]`.

One run, one process: single-row commits, inserts of 2,000 rows a commit, then the sequencer over records of a usual size,
then proofs, the stand-alone verifier over the whole export, and the trace check. Ratios count; seconds are this machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_contracts.canonical import canonical
from gatepost_embedded.postgres import Postgres
from gatepost_oversight.digest import policy_digest
from gatepost_store import Queries, Store
from gatepost_store.audit.export import whole_log
from gatepost_store.audit.proofs import Proofs
from gatepost_store.audit.sequencer import Sequencer
from gatepost_store.audit.trace import records_of, replayed
from gatepost_store.audit.verify_audit import verify
from gatepost_store.migrate import ROLES, migrate

COMMITS, BATCH = 500, 2000
LIFE = (
    ("T05", "ask_draft", "agent", None, "drafting", ["email.drafted"], {"author": "prn_a"}, None),
    ("T06", "submit", "system", "drafting", "drafted", [], {}, None),
    ("T09", "hold", "system", "drafted", "held", ["email.held"], {"reasons": ["gated"]}, None),
    ("T18", "reject", "reviewer", "held", "rejected", ["email.rejected"], {"final": True}, None),
)


def record(mail: str, seq: int) -> str:
    """A record of the usual size."""
    row, event, role, source, target, emits, data, delivery = LIFE[seq - 1]
    content = "9f" * 32
    return canonical({
        "actor": "key_" + "A" * 26, "at": "2026-11-24T06:00:00.000000Z", "command": None, "content": content,
        "data": {**data, "revision": 1, "content_sha256": content}, "delivery": delivery, "door": "rest", "emits": emits,
        "event": event, "from": source, "mailbox": "mbx_" + "1" * 26, "message": mail, "mode": None,
        "policy": policy_digest(), "principal": "prn_a" if role == "agent" else "prn_b", "role": role, "row": row,
        "seq": seq, "tenant": "ten_" + "0" * 26, "thread": "thr_" + "1" * 26, "to": target, "v": 1,
    })  # fmt: skip


async def timed(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = await work()
    return time.perf_counter() - start, result


async def run(url: str, gatekeeper_url: str, count: int) -> dict[str, float]:
    owner = await asyncpg.connect(url)
    store = await Store.open(gatekeeper_url, service="gatekeeper", queries=Queries.parse(""))
    await owner.execute("CREATE TABLE bare (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, record text)")
    text = record("msg_" + "0" * 26, 1)

    async def single() -> None:
        for _ in range(COMMITS):
            await owner.execute("INSERT INTO bare (record) VALUES ($1)", text)

    async def grouped() -> None:
        for _ in range(0, count, BATCH):
            await owner.execute("INSERT INTO bare (record) SELECT * FROM unnest($1::text[])", [text] * BATCH)

    rows = []
    for n in range(count):
        mail, seq = f"msg_{n // len(LIFE):026d}", n % len(LIFE) + 1
        rows.append((mail, seq, "ten_x", "mbx_x", LIFE[seq - 1][0], record(mail, seq), b""))
    await owner.executemany("INSERT INTO audit_record (subject_id, seq, tenant_id, mailbox_id, row_id, record, leaf)"
                            " VALUES ($1, $2, $3, $4, $5, $6, $7)", rows)  # fmt: skip
    await owner.execute("INSERT INTO audit_unplaced (subject_id, seq) SELECT subject_id, seq FROM audit_record"
                        " ORDER BY subject_id, seq; ANALYZE audit_record; CHECKPOINT")  # fmt: skip
    sequencer = Sequencer(store, Ed25519PrivateKey.generate(), "bench.test", checkpoint_s=0, batch=BATCH)

    async def place() -> None:
        while (placed := await sequencer.place()) and placed.records:
            pass

    async def prove() -> None:
        proofs = Proofs(store.reading)
        for start in range(0, count, BATCH):
            await proofs.inclusion(range(start, min(start + BATCH, count)), count)

    async def export() -> bytes:
        return "".join([line + "\n" async for line in whole_log(store.reading)]).encode()

    single_s, _ = await timed(single)
    grouped_s, _ = await timed(grouped)
    place_s, _ = await timed(place)
    prove_s, _ = await timed(prove)
    export_s, content = await timed(export)
    start = time.perf_counter()
    found = verify(content)["records"]
    verify_s = time.perf_counter() - start
    names = sorted({row[0] for row in rows})
    records = await records_of(store.reading, names)
    start = time.perf_counter()
    replays, broken = replayed(records)
    replay_s = time.perf_counter() - start
    assert (found, len(broken), len(replays)) == (count, 0, len(names))
    await store.close()
    await owner.close()
    return {
        "bare commits/s": COMMITS / single_s, "bare rows/s, 2,000 a commit": count / grouped_s,
        "sequencer records/s": count / place_s, "proofs/s": count / prove_s, "exported records/s": count / export_s,
        "verified records/s, stand-alone": count / verify_s, "replayed records/s": count / replay_s,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "pg", sync_new_files=False)
        server.start()
        try:
            asyncio.run(migrate(server.url(), passwords=dict.fromkeys(ROLES, "secret")))
            told = asyncio.run(run(server.url(), server.url("gp_gatekeeper", "secret"), given.records))
        finally:
            server.stop()
    if given.json:
        print(json.dumps(told))
        return 0
    for name, rate in told.items():
        print(f"{name:34} {rate:12,.0f}   {rate / told['bare commits/s']:8.2f} x bare commits")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
