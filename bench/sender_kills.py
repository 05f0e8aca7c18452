"""SIGKILL of the sender between every two steps of an attempt: what is lost, what leaves unapproved, what leaves twice?

Senders are killed at every point in turn, and at any moment, while mails flow to a server on the wire that keeps what
it took. At the end a sender that lives finishes what is left, and the accounting follows. Exit code 1 when a mail was lost,
left without a good grant, or left twice where nothing says that it might. A second copy may only come from the named
window, between the recorded intent and the recorded outcome, and only after a person's word; here nobody gives one.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import random
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_embedded.postgres import Postgres
from gatepost_runtime.keys import make_keys
from gatepost_store.migrate import migrate
from support.lone_sender import lone_sender
from support.mortal_sender import POINTS, Zygote, live_with
from support.released import World
from support.smtp_peer import CLOSE, Peer

WINDOW = ("announce.after", "pour.before", "pour.after", "dot.before", "dot.after", "answer.before", "answer.after",
          "end.before")  # fmt: skip
ROLES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")
_BATCH, _LOW, _LIMIT_S = 60, 40, 6.0


@dataclass
class Tally:
    """What happened to the senders, and what was offered to them."""

    killed: collections.Counter[str] = field(default_factory=collections.Counter)
    missed: int = 0
    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=2, help="how many live at a time")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds after which no further sender is started")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--break", dest="fault", default="", help="plant a fault: no_intent or no_grant")
    parser.add_argument("--points", default="", help="only these, a comma list; the default is all, and any moment")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    print(f"seed {options.seed}: repeat with --seed {options.seed}")
    rows, is_broken = asyncio.run(run(options))
    for name, value in rows.items():
        print(f"  {name:34} {value}")
    return 1 if is_broken else 0


async def run(options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """A database, keys, a peer; then the kills, the quiet, and the accounting."""
    with tempfile.TemporaryDirectory(prefix="gatepost-sender-kills-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        postgres = Postgres(folder / "pg", sync_new_files=False)
        postgres.start()
        try:
            await migrate(postgres.url(), passwords={f"gp_{role}": "secret" for role in ROLES})
            make_keys(folder / "keys")
            world = World(postgres, folder / "keys", postgres.url("gp_sender", "secret"))
            async with Peer(faults(options.seed)) as peer:
                live_with(environment(world, folder, peer))
                tally = await kill(world, options)
                await finish(world, tally)
                return account(world, peer, tally)
        finally:
            postgres.stop()


def environment(world: World, folder: Path, peer: Peer) -> dict[str, str]:
    """What a sender reads."""
    return {
        "GATEPOST_ENV": "dev", "GATEPOST_DATABASE_URL": world.url, "GATEPOST_KEYS_DIR": str(folder / "keys" / "sender"),
        "GATEPOST_NATS_URL": "nats://127.0.0.1:1", "GATEPOST_PUBLIC_URL": "https://gatepost.test",
        "GATEPOST_SENDER_RELAY_HOST": "127.0.0.1", "GATEPOST_SENDER_RELAY_PORT": str(peer.port),
        "GATEPOST_SENDER_POLL_S": "0.02", "GATEPOST_SENDER_LEASE_S": "2", "GATEPOST_SENDER_STOP_S": "1",
        "GATEPOST_SENDER_RETRY_DELAYS_S": "0.2", "GATEPOST_SENDER_GREYLIST_DELAY_S": "0.2",
        "GATEPOST_SENDER_ATTEMPTS_AT_ONCE": "6",
    }  # fmt: skip


def faults(seed: int) -> dict[str, Any]:
    """A server that mostly takes what it is given, and now and then is a nuisance; what it closes on it has kept.

    To one half of the connections it offers PIPELINING.
    """
    luck = random.Random(seed + 2)

    def at_ehlo(_: str) -> str:
        return f"250-peer\r\n{'250-PIPELINING' if luck.random() < 0.5 else '250-8BITMIME'}\r\n250 SIZE 1000000\r\n"

    def at_rcpt(_: str) -> str:
        return "450 4.2.0 greylisted\r\n" if luck.random() < 0.03 else "250 2.1.5 ok\r\n"

    def at_dot(_: str) -> str:
        throw = luck.random()
        if throw < 0.01:
            return CLOSE
        return "451 4.3.0 later\r\n" if throw < 0.03 else "250 2.0.0 ok: queued as K1\r\n"

    return {"EHLO": at_ehlo, "RCPT": at_rcpt, "dot": at_dot}


async def kill(world: World, options: argparse.Namespace) -> Tally:
    """Keep mails coming, and senders dying, until enough of them are dead."""
    luck, tally = random.Random(options.seed), Tally()
    loop = asyncio.get_running_loop()
    until = loop.time() + options.limit
    points = options.points.split(",") if options.points else [*POINTS, ""]
    orders = points * (options.kills // len(points) + 1)
    luck.shuffle(orders)
    orders = orders[: options.kills]

    async def one() -> None:
        async with Zygote() as zygote:
            while orders and loop.time() < until:
                at = orders.pop()
                limit_s = _LIMIT_S if at else luck.uniform(0.05, 0.6)
                order = {"at": at, "nth": luck.randint(1, 4), "limit_s": limit_s, "break": options.fault}
                reached = await zygote.run(order)
                tally.killed[at or "any moment"] += 1
                tally.missed += bool(at) and not reached

    senders = [asyncio.create_task(one()) for _ in range(options.senders)]
    while not all(sender.done() for sender in senders):
        await asyncio.to_thread(feed, world, luck, tally)
        await asyncio.sleep(0.2)
    await asyncio.gather(*senders)
    return tally


def feed(world: World, luck: random.Random, tally: Tally) -> None:
    """Mails to carry, and among them some that nobody let go: forged grants, and modes that ask for a person."""
    waiting = int(world.sql("SELECT count(*) FROM delivery WHERE state = 'released' AND attempts = 0;")[0][0])
    if waiting - len(tally.bad) >= _LOW:
        return
    for forged in (
        {"key": Ed25519PrivateKey.generate()},
        {"grant": {"content_sha256": "0" * 64}},
        {"mode": "gated_send"},
        {"content": "1" * 64},
    ):
        tally.bad += world.release_many(1, **forged)
    tally.good += world.release_many(_BATCH, *luck.choice(((), ("ada@there.test", "bob@there.test"))))


async def finish(world: World, tally: Tally, still_s: float = 90) -> None:
    """A sender that nobody kills does what is left, as long as anything moves; a slow machine has all the time it needs."""
    moving = (
        "SELECT count(*), coalesce(sum(attempts), 0), coalesce(sum(version), 0) FROM delivery d JOIN message m ON m.id ="
        f" d.message_id WHERE d.state IN ('released', 'sending', 'deferred') AND NOT m.id = ANY({_array(tally.bad)});"
    )
    loop = asyncio.get_running_loop()
    moved_at, before = loop.time(), [""]
    live_with({"GATEPOST_SENDER_ATTEMPTS_AT_ONCE": "40"})
    async with lone_sender():
        while (now := (await asyncio.to_thread(world.sql, moving))[0])[0] != "0":
            if now != before:
                before, moved_at = now, loop.time()
            elif loop.time() - moved_at > still_s:
                return  # the accounting names what is left
            await asyncio.sleep(0.5)


def _array(ids: list[str]) -> str:
    return "ARRAY[" + ", ".join(f"'{one}'" for one in ids) + "]::text[]"


def account(world: World, peer: Peer, tally: Tally) -> tuple[dict[str, Any], bool]:
    """Every delivery, what the database says of it, and how many copies the server kept."""
    copies: collections.Counter[tuple[str, str]] = collections.Counter()
    for mail in (m for m in peer.mails if m.is_kept):
        found = re.search(rb"(?mi)^message-id: <(msg_[0-9a-z]{26})", mail.content)
        assert found is not None
        for recipient in mail.recipients:
            copies[found[1].decode().upper().replace("MSG_", "msg_"), recipient] += 1
    rows = world.sql(
        "SELECT d.message_id, d.recipient, d.state, d.attempts, EXISTS (SELECT 1 FROM attempt a WHERE a.delivery_id = d.id AND"
        " a.unknown) FROM delivery d;"
    )
    good, bad = set(tally.good), set(tally.bad)
    kept = {(message, to): (state, unknown == "t") for message, to, state, _, unknown in rows}
    ended = collections.Counter(state for (message, _), (state, _) in kept.items() if message in good)
    lost = [k for k, (state, _) in kept.items() if k[0] in good and (
        state not in {"delivered", "uncertain", "bounced"} or (state == "delivered" and not copies[k]))]  # fmt: skip
    unapproved = [k for k in copies if k[0] in bad]
    doubled = [k for k, count in copies.items() if count > 1]
    unseen = [k for k in doubled if not kept[k][1]]
    told = {
        "kills": sum(tally.killed.values()), "of them in the window": sum(tally.killed[p] for p in WINDOW),
        "points": len(tally.killed), "points not reached in time": tally.missed, "mails released": len(good),
        "recipients delivered": ended["delivered"], "recipients uncertain": ended["uncertain"],
        "mails with no good grant": len(bad), "lost": len(lost), "left unapproved": len(unapproved),
        "second copies": len(doubled), "second copies that nothing shows": len(unseen),
    }  # fmt: skip
    for key in (lost + unapproved + unseen)[:8]:
        print("   ", key, kept.get(key), "copies", copies[key])
    return told, bool(lost or unapproved or unseen or not tally.killed)


if __name__ == "__main__":
    sys.exit(main())
