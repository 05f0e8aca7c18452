"""What one mail costs the sender: its real parts over a real database and kept connections, beside bare RSA signatures.

The sender runs alone in this process, so that the process's CPU is the sender's; database, sink and feeder are others.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from bench.sink import SinkProcess
from gatepost_embedded.postgres import Postgres
from gatepost_runtime.keys import make_keys
from gatepost_store.migrate import migrate
from support.lone_sender import lone_sender
from support.mortal_sender import live_with
from support.released import World

ROLES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")
LINE = "How long does delivery take and where is my order, please? My number is 12345.\n"


async def measure(mails: int, size: int = 4096) -> tuple[float, float]:
    """(CPU us of one bare RSA-2048 signature, CPU us of the sender for each mail)."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(prefix="gatepost-sender-cpu-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        postgres = Postgres(folder / "pg", sync_new_files=False)
        postgres.start()
        try:
            await migrate(postgres.url(), passwords={f"gp_{role}": "secret" for role in ROLES})
            make_keys(folder / "keys")
            world = World(postgres, folder / "keys", postgres.url("gp_sender", "secret"))
            with SinkProcess() as port:
                live_with({
                    "GATEPOST_ENV": "dev", "GATEPOST_DATABASE_URL": world.url, "GATEPOST_NATS_URL": "nats://127.0.0.1:1",
                    "GATEPOST_KEYS_DIR": str(folder / "keys" / "sender"), "GATEPOST_PUBLIC_URL": "https://gatepost.test",
                    "GATEPOST_SENDER_RELAY_HOST": "127.0.0.1", "GATEPOST_SENDER_RELAY_PORT": str(port),
                    "GATEPOST_SENDER_POLL_S": "0.02",
                })  # fmt: skip
                return await _through(world, mails, size)
        finally:
            postgres.stop()


async def _through(world: World, mails: int, size: int) -> tuple[float, float]:
    text = LINE * max(1, (size - 1900) // (2 * len(LINE)))
    letter = {"text": text, "html": "<p>" + text.replace("\n", "<br>\n") + "</p>"}
    box = world.sql(f"SELECT mailbox_id FROM message WHERE id = '{world.released(letter=letter)}';")[0][0]
    left = "SELECT count(*) FROM delivery WHERE state <> 'delivered';"
    async with lone_sender():
        await _until_none(world, left)  # warm: keys made, connections open, statements prepared
        await asyncio.to_thread(world.release_many, 50, letter=letter, into=box)
        await _until_none(world, left)
        await asyncio.to_thread(world.release_many, mails, letter=letter, into=box, due_in_s=3600)
        begin = time.process_time()
        await asyncio.to_thread(world.sql, "UPDATE delivery SET due_at = now() WHERE state = 'released';")
        await _until_none(world, left)
        whole = (time.process_time() - begin) / mails * 1e6
    return _bare(), whole


async def _until_none(world: World, left: str) -> None:
    """Asked seldom, since asking costs this process CPU too."""
    while int((await asyncio.to_thread(world.sql, left))[0][0]):
        await asyncio.sleep(0.5)


def _bare(count: int = 1500) -> float:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    begin = time.process_time()
    for _ in range(count):
        key.sign(b"x" * 32, PKCS1v15(), SHA256())
    return (time.process_time() - begin) / count * 1e6
