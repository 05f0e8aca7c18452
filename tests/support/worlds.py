"""Random worlds: rows for a database, and what the table's variables are in them, worked out apart from the SQL.

Each world is a tenant of its own with one mailbox, one thread, one outbound mail with its revisions and deliveries, and
whatever else the facts are made of. Worlds need not be reachable: SQL and Python must agree on any.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gatepost_oversight.mode import LEVELS
from gatepost_oversight.states import DELIVERY_STATES, OPEN, State, derive

NOW = datetime.now(UTC).replace(microsecond=0)
PAST, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
MODES = tuple(LEVELS)
PEOPLE = ("prn_agent", "prn_ann", "prn_bob")
KEYS = ("key_ok", "key_gone")
HASHES = ("h1", "h2", "h3")
ADDRESSES = ("a@x.org", "b@x.org", "c@x.org")
ENDED = ("delivered", "bounced", "refused")
OUTBOUND = tuple(s for s in State if s not in {State.RECEIVED, State.QUARANTINED, State.DISCARDED})
PARENTS_FIRST = (
    "tenant", "api_key", "mailbox", "thread", "mode_grant", "message", "revision", "delivery", "pause", "suppression",
    "upgrade_request", "legal_hold", "endpoint", "thread_move",
)  # fmt: skip
"""What a world has rows of, parents first."""
Row = dict[str, Any]


@dataclass
class RandomWorld:
    """One tenant's rows by table, and the generator that made them."""

    n: int
    generator: random.Random
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tenant, self.box, self.thread, self.mail = (f"{kind}_{self.n:05}" for kind in ("ten", "mbx", "thr", "msg"))
        self._make()

    def add(self, table: str, **columns: Any) -> Row:
        """One row of the database."""
        self.rows.setdefault(table, []).append(columns)
        return columns

    def maybe(self, chance: float = 0.5) -> bool:
        """Yes, by this chance."""
        return self.generator.random() < chance

    def one(self, *values: Any) -> Any:
        """One of these."""
        return self.generator.choice(values)

    # -- the rows ------------------------------------------------------------------------------------------------------

    def _make(self) -> None:
        own = {"tenant_id": self.tenant}
        self.two = self.maybe(0.2)
        self.add("tenant", id=self.tenant, name="T", slug=self.tenant, two_person=self.two,
                 oversight_email=self.one(None, "Boss@x.org", "boss@x.org"))  # fmt: skip
        for key in KEYS:
            self.add("api_key", id=f"{key}_{self.n}", principal_id="prn_ann", name=key, prefix="p", key_sha256=f"{key}{self.n}",
                     scopes=["oversight"], revoked_at=PAST if key == "key_gone" else None, **own)  # fmt: skip
        self.mailbox = self.add(
            "mailbox", id=self.box, address=f"{self.box}@x.org", mode=self.one(*MODES), ceiling=self.one("autonomous", *MODES),
            two_person=self.maybe(0.2), policy_block=self.maybe(0.1), covers_ask=self.maybe(0.3), rounds_max=self.one(0, 1, 3),
            expires_after_s=self.one(60, 3600), **own,
        )  # fmt: skip
        own |= {"mailbox_id": self.box}
        self.head = self.one(None, "msg_head")
        self.add("thread", id=self.thread, head=self.head, **own)
        self.grants = [
            self.add("mode_grant", id=f"grt_{self.n}_{k}", kind="category", name=f"c{k}", mode=self.one(*MODES),
                     covers_ask=self.maybe(), revoked_at=self.one(None, None, PAST), **own)
            for k in range(2)
        ]  # fmt: skip
        self._message(own)
        self._around(own)

    def _message(self, own: Row) -> None:
        direction = "inbound" if self.maybe(0.1) else "outbound"
        state = (
            self.one("received", "quarantined", "discarded") if direction == "inbound" else self.one(*OUTBOUND).value
        )
        self.recipients = self.generator.sample(ADDRESSES, self.one(0, 1, 2, 2))
        release = self.one(0, 1, 1, 2)
        revision = self.one(0, 1, 2)
        ok = {n: self.maybe(0.5) for n in ("ok1", "ok2")}
        self.message = self.add(
            "message", id=self.mail, thread_id=self.thread, direction=direction, state=state, version=self.one(1, 2),
            last_row="T05", author=self.one(*PEOPLE, None), ask=self.one(None, None, *MODES), content=self.one(None, *HASHES[:2]),
            revision=revision, recipients=self.recipients, placeholder=self.maybe(0.2), system_template=self.maybe(0.1),
            policy_block=self.maybe(0.1), mode_grant_id=self.one(None, *(g["id"] for g in self.grants)),
            rounds=self.one(0, 1, 3), release=release, category=self.one(None, "news", "refunds"), rule_category=self.one(None, "refunds"),
            expires_at=self.one(None, PAST, FUTURE), answers=self.one(None, "msg_00"), reason=self.one(None, "x"),
            **{k: v for n in ok for k, v in (
                (n, self.one(*PEOPLE) if ok[n] else None), (f"{n}_hash", self.one(*HASHES[:2]) if ok[n] else None),
                (f"{n}_key", self.one(*(f"{key}_{self.n}" for key in KEYS), None) if ok[n] else None),
                (f"{n}_for", self.one(0, 1, 2, 3) if ok[n] else None))}, **own,
        )  # fmt: skip
        self.revisions = [
            self.add("revision", message_id=self.mail, n=n, kind=self.one("draft", "draft", "edit", "edit", "failed"),
                     content_sha256=self.one(*HASHES), content="{}", markdown="m", subject=f"s{n}",
                     recipients=self.generator.sample(ADDRESSES, self.one(1, 2)), author=self.one(*PEOPLE), author_kind="agent",
                     ask=self.one(None, None, *MODES), placeholder=self.maybe(0.2), category=self.one(None, "news"), **own)
            for n in range(1, self.one(1, 2, 3) + 1)
        ]  # fmt: skip
        self.deliveries = [
            self.add("delivery", id=f"{self.mail}.{of}.{n}", message_id=self.mail, thread_id=self.thread, of_release=of, n=n,
                     recipient=recipient, domain="x.org", state=self.one(*DELIVERY_STATES).value, last_row="T11",
                     used=self.maybe(), sent_hash=self.one(None, *HASHES[:2]), phase=self.one("none", "claimed", "announced"),
                     owner=self.one(None, "s1", "s2"), lease_until=self.one(None, PAST, FUTURE), attempts=self.one(0, 0, 1, 2),
                     due_at=self.one(PAST, PAST, FUTURE), queued_at=PAST, **own)
            for of in range(1, release + 1) for n, recipient in enumerate(self.recipients, 1) if self.maybe(0.7)
        ]  # fmt: skip

    def _around(self, own: Row) -> None:
        for scope, target in (
            ("tenant", self.tenant),
            ("mailbox", self.box),
            ("agent", "prn_agent"),
            ("category", "refunds"),
        ):
            if self.maybe(0.08):
                self.add("pause", id=f"pse_{self.n}_{scope}", scope=scope, target=target, by="prn_ann",
                         lifted_at=self.one(None, None, PAST), **own)  # fmt: skip
        self.suppressed = set()
        for k, address in enumerate(ADDRESSES):
            if self.maybe(0.15):
                row = self.add("suppression", id=f"sup_{self.n}_{k}", tenant_id=self.tenant, address=address, reason="manual",
                               mailbox_id=self.one(None, self.box, "mbx_elsewhere"), category=self.one(None, None, "news"))  # fmt: skip
                here = row["mailbox_id"] in {None, self.box}
                if here and row["category"] in {None, self.message["category"]}:
                    self.suppressed.add(address)
        self.others = []
        if self.maybe(0.3):
            state = self.one(
                "drafting", "drafted", "held", "released", "sending", "cancelled", "delivered", "uncertain"
            )
            other = self.add(
                "message", id=f"{self.mail}x", thread_id=self.thread, direction="outbound", state=state, version=1, last_row="T05",
                answers=self.one(None, "msg_00", "msg_01"), revision=self.one(0, 1), release=self.one(0, 1), **own,
            )  # fmt: skip
            sent = [
                self.add("delivery", id=f"{self.mail}x.1.1", message_id=other["id"], thread_id=self.thread, of_release=1, n=1,
                         recipient=self.one(*ADDRESSES), domain="x.org", last_row="T11", due_at=PAST,
                         state=self.one("released", "sending", "deferred", "uncertain", "delivered"),
                         queued_at=self.one(PAST - timedelta(minutes=5), FUTURE), **own)
            ] if other["release"] and self.maybe(0.8) else []  # fmt: skip
            self.others.append((other, sent))

    # -- what the variables are ---------------------------------------------------------------------------------------

    def variables(self, *, revision: int | None = None, delivery: Row | None = None, grant: str | None = None) -> Row:
        """Of the mail, of the revision that a step names, and of one delivery."""
        m, b = self.message, self.mailbox
        in_force = next(
            (g for g in self.grants if g["id"] == (grant or m["mode_grant_id"]) and g["revoked_at"] is None), None
        )
        rev = next((r for r in self.revisions if r["n"] == revision), None)
        mine = [d for d in self.deliveries if d["of_release"] == m["release"]]
        known: Row = {
            **{name: m.get(name) for name in (
                "version", "direction", "ask", "content", "revision", "placeholder", "system_template", "mode_grant_id", "ok1",
                "ok1_hash", "ok1_for", "ok2", "ok2_hash", "ok2_for", "rounds", "release", "reason", "category", "recipients",
                "ok1_key", "ok2_key")},
            "st": m["state"], "drafter": m["author"], "mailbox": self.box, "mode": b["mode"], "ceiling": b["ceiling"],
            "granted_mode": in_force["mode"] if in_force else None,
            "covers_ask": in_force["covers_ask"] if in_force else b["covers_ask"],
            "two_person": self.two or b["two_person"], "rounds_max": b["rounds_max"],
            "policy_block": m["policy_block"] or b["policy_block"], "thread_head": self.head,
            "paused": any(p["lifted_at"] is None and self._covers(p) for p in self.rows.get("pause", ())),
            "ok1_active": not str(m["ok1_key"]).startswith("key_gone"), "ok2_active": not str(m["ok2_key"]).startswith("key_gone"),
            "overdue": None if m["expires_at"] is None else m["expires_at"] <= NOW,
            "attempted": any(d["attempts"] > 0 for d in self.deliveries),
            "claimed": any(d["state"] == "sending" for d in self.deliveries),
            "next_n": len(self.revisions) + 1, "newer": any(self._is_newer(o) for o, _ in self.others),
            "rev_n": rev and rev["n"], "rev_kind": rev and rev["kind"], "rev_author": rev and rev["author"],
            "rev_content": rev and rev["content_sha256"], "rev_placeholder": rev and rev["placeholder"], "rev_ask": rev and rev["ask"],
            "rev_recipients": rev and rev["recipients"], "rev_subject": rev and rev["subject"], "rev_evidence": None,
            "rev_category": (rev and rev["category"]) or m["category"],
        }  # fmt: skip
        if m["state"] in OPEN:
            waiting = [d["recipient"] for d in mine if d["state"] in {"released", "deferred"}]
            known["suppressed"] = bool(waiting) and all(r in self.suppressed for r in waiting)
        else:
            known["suppressed"] = any(r in self.suppressed for r in self.recipients)
        if delivery is not None:
            known |= self._of_delivery(delivery)
        return known

    def unfinished(self, recipients: list[str] | None) -> bool:
        """One of these has no end in any release."""
        done = {d["recipient"] for d in self.deliveries if d["state"] in ENDED}
        return any(r not in done for r in recipients or ())

    def derived(self, changed: Row) -> str:
        """What the mail reads after this delivery became what it is now."""
        others = [
            d["state"]
            for d in self.deliveries
            if d["of_release"] == self.message["release"] and d["id"] != changed["id"]
        ]
        mine = [changed["state"]] if changed["of_release"] == self.message["release"] else []
        from gatepost_oversight.states import DERIVABLE

        state = self.message["state"]
        return str(derive([*others, *mine])) if state in DERIVABLE and (others or mine) else state

    def _covers(self, pause: Row) -> bool:
        m = self.message
        return {
            "tenant": True, "mailbox": True, "agent": m["author"] == "prn_agent",
            "category": pause["target"] in {m["category"], m["rule_category"]},
        }[pause["scope"]]  # fmt: skip

    def _is_newer(self, other: Row) -> bool:
        going = {"drafted", "held", "revising", "released", "sending", "deferred", "uncertain", "delivered"}
        answers, ours = other["answers"], self.message["answers"]
        return bool(answers and ours and answers > ours and other["revision"] > 0 and other["state"] in going)

    def _of_delivery(self, d: Row) -> Row:
        first = (d["queued_at"], d["id"])
        blocked = any(
            o["recipient"] == d["recipient"] and o["state"] in {"released", "sending", "deferred"} and (o["queued_at"], o["id"]) < first
            and other["release"] == o["of_release"] and other["state"] in OPEN
            for other, sent in self.others for o in sent
        )  # fmt: skip
        return {
            "st_delivery": d["state"], "of_release": d["of_release"], "used": d["used"], "sent_hash": d["sent_hash"],
            "phase": d["phase"], "owner": d["owner"], "attempts": d["attempts"], "due": d["due_at"] <= NOW,
            "lease_over": None if d["lease_until"] is None else d["lease_until"] <= NOW, "turn": not blocked,
            "suppressed": d["recipient"] in self.suppressed,
        }  # fmt: skip


def sql(world: RandomWorld) -> list[tuple[str, list[Any]]]:
    """INSERT statements with their values, parents first."""
    found = []
    for table in PARENTS_FIRST:
        for row in world.rows.get(table, ()):
            columns = ", ".join(f'"{c}"' for c in row)
            places = ", ".join(f"${k}" for k in range(1, len(row) + 1))
            found.append((f"INSERT INTO {table} ({columns}) VALUES ({places})", list(row.values())))
    return found
