"""Rows edited by hand, by somebody with the database owner's rights and no trigger in the way, lead to no send.

Real gatekeeper, real sender, real Postgres, real SMTP. Each test ends with an honest mail, so that a sender that sends
nothing at all does not pass.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.integration.gatekeeper.conftest import open_house
from tests.integration.gatekeeper.house import ADA, House

from gatepost_embedded.postgres import Postgres
from gatepost_mail.content import Content
from gatepost_oversight.grant import Grant, sign_grant
from gatepost_runtime.keys import Keys, make_keys
from gatepost_store.migrate import ROLES, migrate
from support.lone_sender import Lone, lone_sender
from support.smtp_peer import Peer

EVE = "eve@elsewhere.example"


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postgres, Path]]:
    """A database without fsync, and the keys of one installation."""
    folder = tmp_path_factory.mktemp("forge")
    make_keys(folder / "keys")
    server = Postgres(folder / "pg", sync_new_files=False, settings={"fsync": "off"})
    server.start()
    try:
        asyncio.run(migrate(server.url(), passwords=dict.fromkeys(ROLES, "secret")))
        yield server, folder / "keys"
    finally:
        server.stop()


@dataclass
class Scene:
    """Both services at work, and the hand in the database."""

    house: House
    peer: Peer
    sender: Lone
    box: str

    async def by_hand(self, sql: str, *args: Any) -> None:
        """As the owner, with every trigger off."""
        async with self.house.owner.transaction():
            await self.house.owner.execute("SET LOCAL session_replication_role = replica")
            await self.house.owner.execute(sql, *args)

    async def held(self) -> str:
        message = await self.house.draft(await self.house.inbound(self.box))
        assert "held" == await self.state(message)
        return message

    async def approved(self, **wishes: Any) -> str:
        """Approved by a person, and not due before somebody changes that."""
        wishes.setdefault("send_at", datetime.now(UTC) + timedelta(hours=1))
        message = await self.house.draft(await self.house.inbound(self.box), **wishes)
        assert (await self.house.decide(message, "approve")).ok
        return message

    async def state(self, message: str) -> str:
        return str(await self.house.owner.fetchval("SELECT state FROM message WHERE id = $1", message))

    async def due_now(self, message: str) -> None:
        await self.by_hand("UPDATE delivery SET due_at = now() - interval '1 minute' WHERE message_id = $1", message)

    async def deliver_by_hand(self, message: str, recipient: str = ADA, grant: str | None = None) -> None:
        """What a release leaves, made by hand."""
        await self.by_hand(
            "UPDATE message SET state = 'released', release = 1, last_row = 'T11', ok1 = 'prn_x', ok1_hash = content,"
            " ok1_key = NULL, grant_token = $2, released_at = now() WHERE id = $1", message, grant,
        )  # fmt: skip
        await self.by_hand(
            "INSERT INTO delivery (id, tenant_id, mailbox_id, message_id, thread_id, of_release, n, recipient, domain,"
            " last_row, due_at) SELECT id || '.1.9', tenant_id, mailbox_id, id, thread_id, 1, 9, $2,"
            " split_part($2, '@', 2), 'T11', now() FROM message WHERE id = $1", message, recipient,
        )  # fmt: skip

    async def revision(self, message: str, **changes: Any) -> None:
        """The text that leaves, changed with every digest that the database holds."""
        text = await self.house.owner.fetchval("SELECT content FROM revision WHERE message_id = $1", message)
        content = Content.from_json(text).model_copy(update=changes)
        await self.by_hand(
            "UPDATE revision SET content = $2, content_sha256 = $3, recipients = $4 WHERE message_id = $1",
            message, content.canonical_text(), content.sha256, list(content.recipients),
        )  # fmt: skip
        await self.by_hand(
            "UPDATE message SET content = $2, ok1_hash = $2, recipients = $3 WHERE id = $1",
            message, content.sha256, list(content.recipients),
        )  # fmt: skip

    async def nothing_left(self) -> None:
        """The sweep ran, the sender looked often, an honest mail went out, and nothing else did."""
        await self.house.timers.sweep()
        honest = await self.approved(send_at=None)
        until = asyncio.get_running_loop().time() + 15
        while await self.state(honest) != "delivered":
            assert asyncio.get_running_loop().time() < until, "the honest mail did not leave"
            await asyncio.sleep(0.05)
        seen = self.sender.registry.get_sample_value("gatepost_sender_refused_grants_total")

        assert 1 == len(self.peer.mails)
        assert [ADA] == [recipient for mail in self.peer.mails for recipient in mail.recipients]
        assert seen is not None


@pytest.fixture
async def scene(forge: tuple[Postgres, Path], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    server, keys = forge
    given = {
        "GATEPOST_ENV": "dev", "GATEPOST_DATABASE_URL": server.url("gp_sender", "secret"),
        "GATEPOST_KEYS_DIR": str(keys / "sender"), "GATEPOST_NATS_URL": "nats://127.0.0.1:1",
        "GATEPOST_PUBLIC_URL": "https://gatepost.test", "GATEPOST_SENDER_RELAY_HOST": "127.0.0.1",
        "GATEPOST_SENDER_POLL_S": "0.05",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    async with open_house(server, Keys(keys / "gatekeeper").grant_private) as house, Peer() as peer:
        monkeypatch.setenv("GATEPOST_SENDER_RELAY_PORT", str(peer.port))
        async with lone_sender() as sender:
            yield Scene(house, peer, sender, await house.mailbox("gated_send"))
        await house.owner.execute("DELETE FROM delivery")  # nothing of this test is due in the next


Forgery = Callable[[Scene], Awaitable[None]]


async def state_without_a_grant(scene: Scene) -> None:
    await scene.deliver_by_hand(await scene.held())


async def state_with_another_mail_s_grant(scene: Scene) -> None:
    other = await scene.approved()
    token = await scene.house.owner.fetchval("SELECT grant_token FROM message WHERE id = $1", other)
    await scene.deliver_by_hand(await scene.held(), grant=token)


async def state_with_a_grant_of_another_key(scene: Scene) -> None:
    message = await scene.held()
    row = await scene.house.owner.fetchrow("SELECT * FROM message WHERE id = $1", message)
    grant = Grant(
        message_id=message, mailbox_id=row["mailbox_id"], revision=1, release=1, content_sha256=row["content"],
        recipients_sha256="0" * 64, policy="0" * 64, expires_at=datetime.now(UTC) + timedelta(days=1),
    )  # fmt: skip
    await scene.deliver_by_hand(message, grant=sign_grant(Ed25519PrivateKey.generate(), grant))


async def grant_with_other_claims(scene: Scene) -> None:
    """The signature is the gatekeeper's, the statement before it is not."""
    other, message = await scene.approved(), await scene.held()
    token = await scene.house.owner.fetchval("SELECT grant_token FROM message WHERE id = $1", other)
    head, _, signature = token.partition(".")
    said = json.loads(base64.urlsafe_b64decode(head + "=="))
    sha = await scene.house.owner.fetchval("SELECT content FROM message WHERE id = $1", message)
    said |= {"message_id": message, "content_sha256": sha, "release": 1}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    forged = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    await scene.deliver_by_hand(message, grant=f"{forged}.{signature}")


async def body_after_the_approval(scene: Scene) -> None:
    message = await scene.approved()
    await scene.revision(message, text="Wire the money to Eve.\n", html="<p>Wire the money to Eve.</p>")
    await scene.due_now(message)


async def subject_after_the_approval(scene: Scene) -> None:
    message = await scene.approved()
    await scene.revision(message, subject="Your account is closed")
    await scene.due_now(message)


async def recipients_after_the_approval(scene: Scene) -> None:
    message = await scene.approved()
    await scene.revision(message, to=(EVE,))
    await scene.by_hand(
        "UPDATE delivery SET recipient = $2, domain = 'elsewhere.example' WHERE message_id = $1", message, EVE
    )
    await scene.due_now(message)


async def the_recipient_of_the_delivery_alone(scene: Scene) -> None:
    message = await scene.approved()
    await scene.by_hand(
        "UPDATE delivery SET recipient = $2, domain = 'elsewhere.example' WHERE message_id = $1", message, EVE
    )
    await scene.due_now(message)


async def another_blind_copy(scene: Scene) -> None:
    message = await scene.approved()
    await scene.revision(message, bcc=(EVE,))
    await scene.deliver_by_hand(message, EVE, await scene.house.owner.fetchval(
        "SELECT grant_token FROM message WHERE id = $1", message))  # fmt: skip
    await scene.due_now(message)


async def a_withdrawn_mail_put_back(scene: Scene) -> None:
    """Its grant is good: a person approved this very content, and then another withdrew it."""
    message = await scene.approved()
    assert (await scene.house.cancel(message)).ok
    await scene.by_hand("UPDATE message SET state = 'released', last_row = 'T11' WHERE id = $1", message)
    await scene.by_hand("UPDATE delivery SET state = 'released', last_row = 'T11' WHERE message_id = $1", message)
    await scene.due_now(message)


async def another_release_of_the_old_grant(scene: Scene) -> None:
    message = await scene.approved()
    await scene.by_hand("UPDATE message SET release = 2 WHERE id = $1", message)
    await scene.by_hand("UPDATE delivery SET of_release = 2 WHERE message_id = $1", message)
    await scene.due_now(message)


@pytest.mark.parametrize(
    "forgery",
    [
        state_without_a_grant, state_with_another_mail_s_grant, state_with_a_grant_of_another_key,
        grant_with_other_claims, body_after_the_approval, subject_after_the_approval, recipients_after_the_approval,
        the_recipient_of_the_delivery_alone, another_blind_copy, a_withdrawn_mail_put_back,
        another_release_of_the_old_grant,
    ],
)  # fmt: skip
async def test_a_row_edited_by_hand_never_leads_to_a_send(scene: Scene, forgery: Forgery) -> None:
    """State, recipients, subject, body, grant, release: whatever is written, the sender does not believe the database."""
    await forgery(scene)
    await scene.nothing_left()

    assert 0 < (scene.sender.registry.get_sample_value("gatepost_sender_refused_grants_total") or 0)


async def test_a_delivered_mail_put_back_is_not_sent_again(scene: Scene) -> None:
    """Its grant is good and its delivery looks new; the log says that it ended."""
    message = await scene.approved(send_at=None)
    until = asyncio.get_running_loop().time() + 15
    while await scene.state(message) != "delivered":
        assert asyncio.get_running_loop().time() < until
        await asyncio.sleep(0.05)
    scene.peer.mails.clear()
    await scene.by_hand("UPDATE message SET state = 'released' WHERE id = $1", message)
    await scene.by_hand(
        "UPDATE delivery SET state = 'released', used = false, attempts = 0, phase = 'none', due_at = now()"
        " WHERE message_id = $1", message,
    )  # fmt: skip

    await scene.nothing_left()
