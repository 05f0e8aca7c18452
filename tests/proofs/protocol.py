"""The delivery protocol under crashes: every interleaving of a handler, two reviewers, two senders and a mail server.

Each database step is the table's own row, run by the services' evaluator; what lies between the steps (memory, the wire,
the broker) is modelled here. Crashes fall between any two lines, at most `crashes` of them; the clock, stalls and the
lease run as they please. One recipient; a person may have an uncertain mail sent again once.
Two halves are searched, which meet in the committed release alone: deciding it, and delivering it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gatepost_oversight.evaluate import step
from gatepost_oversight.lifecycle import MOVES
from gatepost_oversight.move import Move
from gatepost_oversight.states import State
from proofs.search import FIXED

SENDERS = (0, 1)
RESTS = frozenset(("delivered", "bounced", "uncertain", "held"))


class World(NamedTuple):
    """Database, broker, processes and the other side."""

    mail: str = "drafted"  # state of the mail; after a release, of its one delivery
    input: str = "waiting"  # email.drafted at the broker: waiting, acked
    handler: str = "idle"  # idle, committed, and in one of the broken variants: acked
    release: int = 0
    clicks: tuple[str, str] = ("ready", "ready")  # each reviewer: ready, looked, published, done
    decisions: int = 0  # of the present release
    outbox: str = "none"  # email.released: none, pending, sent, done
    published: bool = False
    phase: str = "none"
    owner: int | None = None
    used: bool = False
    due: bool = False
    doing: tuple[str, str] = ("idle", "idle")  # each sender: idle, read, claimed, announced, 250, 4yz, 5yz, lost
    of: tuple[int, int] = (0, 0)  # the release each sender works on
    taken: int = 0  # how often the other side took the mail
    early: bool = False  # an attempt began before it was due
    lost_track: bool = False  # an announced attempt ended without its outcome being recorded
    again: bool = False  # a person had it sent again
    word: bool = False  # a person said that it arrived
    crashes: int = 2


@dataclass(frozen=True)
class Variant:
    """What is built differently; the one without a difference is what we build."""

    name: str = "as built"
    moves: tuple[Move, ...] = MOVES
    blind_approval: bool = False
    publish_first: bool = False
    ack_first: bool = False
    no_intent: bool = False
    blind_claim: bool = False
    ignores_due: bool = False
    events_only: bool = False  # senders wake by events alone, never by the table
    half: str = "delivering"


DECIDING = World()
DELIVERING = World(
    mail="released", input="acked", release=1, decisions=1, clicks=("done", "done"), outbox="done", published=True
)  # fmt: skip


class Model:
    """The steps of one variant."""

    def __init__(self, variant: Variant) -> None:
        self.v = variant
        self.rows = {m.id: m for m in variant.moves}
        self._known: dict[tuple[Any, ...], bool] = {}

    def variables(self, w: World) -> dict[str, Any]:
        """The table's variables in this world."""
        return {
            **FIXED, "st": w.mail, "st_delivery": w.mail, "mode": "gated_send", "two_person": False, "suppressed": False,
            "paused": False, "content": "h", "ok1": "ann" if w.decisions else None, "ok1_hash": "h", "ok1_for": w.release,
            "ok2": None, "ok2_hash": None, "ok2_for": None, "rounds": 0, "phase": w.phase, "used": w.used,
            "attempted": w.used, "claimed": w.mail == "sending", "unfinished": True, "owner": w.owner, "release": w.release,
            "of_release": w.release, "due": w.due or self.v.ignores_due, "version": w.release, "rev_kind": None,
            "rev_author": None, "rev_content": None,
        }  # fmt: skip

    def fires(self, row: str, w: World, role: str = "system", principal: str | None = None, **told: Any) -> bool:
        """Does the table allow it?"""
        key = (
            row,
            w.mail,
            w.phase,
            w.owner,
            w.used,
            w.due,
            w.release,
            w.decisions > 0,
            role,
            principal,
            *told.values(),
        )
        if key not in self._known:
            arguments: Mapping[str, Any] = {"grant_ok": True, "has_note": True, **told}
            fires = step(self.rows[row], self.variables(w), arguments, role, principal, explain=False).moved
            self._known[key] = fires
        return self._known[key]

    # -- what the installation does by itself ------------------------------------------------------------------

    def by_itself(self, w: World) -> Iterator[tuple[str, World]]:
        """Steps that need neither a crash nor a person."""
        yield from self._handler(w)
        if self.v.half == "deciding":
            yield from self._publish(w)
            return
        if w.mail in {"released", "deferred"} and not w.due:
            yield "time passes", w._replace(due=True)
        for n in SENDERS:
            yield from self._sender(w, n)

    @staticmethod
    def _publish(w: World) -> Iterator[tuple[str, World]]:
        if w.outbox == "pending":
            yield "publish", w._replace(outbox="sent", published=True)
        if w.outbox == "sent":
            yield "forget the outbox row", w._replace(outbox="done")

    def _handler(self, w: World) -> Iterator[tuple[str, World]]:
        if w.input != "waiting" and w.handler != "acked":
            return
        if self.v.ack_first and w.handler == "idle" and w.input == "waiting":
            yield "ack", w._replace(input="acked", handler="acked")
        elif w.handler in {"idle", "acked"}:
            held = w.mail == "drafted" and self.fires("T09", w, verdict="hold")
            yield (
                "hold",
                w._replace(mail="held" if held else w.mail, handler="committed" if not self.v.ack_first else "idle"),
            )
        elif w.handler == "committed":
            yield "ack", w._replace(input="acked", handler="idle")

    def _sender(self, w: World, n: int) -> Iterator[tuple[str, World]]:
        doing, mine = w.doing[n], w.of[n] == w.release
        if doing == "idle":
            yield from self._claim(w, n)
        elif doing == "read":  # only without compare-and-set
            yield f"sender {n} claims blindly", self._claimed(w, n)
        elif doing == "claimed":
            if self.v.no_intent:
                yield from self._dot(w, n)
            elif mine and self.fires("T27", w, owner=n):
                yield f"sender {n} announces", self._do(w._replace(phase="announced"), n, "announced")
            else:
                yield f"sender {n} was fenced", self._do(w, n, "idle")
            if mine and self.fires("T29", w, owner=n):
                yield f"sender {n} found nobody", self._do(self._deferred(w), n, "idle")
        elif doing == "announced":
            yield from self._dot(w, n)
        else:
            yield from self._record(w, n, doing, mine=mine)

    def _claim(self, w: World, n: int) -> Iterator[tuple[str, World]]:
        if self.v.events_only and not (w.published and w.outbox == "sent"):
            return
        row = {"released": "T24", "deferred": "T25"}.get(w.mail)
        if w.mail == "uncertain" and State.UNCERTAIN in self.rows["T25"].src:
            row = "T25"
        if row is not None and self.fires(row, w, owner=n):
            if self.v.blind_claim:
                yield f"sender {n} reads", self._do(w, n, "read")._replace(of=_at(w.of, n, w.release))
            else:
                yield f"sender {n} claims", self._claimed(w, n)
        if w.mail == "sending" and w.owner != n:
            if self.fires("T26", w, owner=n):
                yield f"sender {n} takes over", self._do(w._replace(owner=n, of=_at(w.of, n, w.release)), n, "claimed")
            if self.fires("T31", w):
                yield f"sender {n} finds an abandoned intent", w._replace(mail="uncertain", lost_track=True)

    def _claimed(self, w: World, n: int) -> World:
        early = w.early or not w.due
        w = w._replace(mail="sending", phase="claimed", owner=n, used=True, of=_at(w.of, n, w.release), early=early)
        return self._do(w, n, "claimed")

    def _dot(self, w: World, n: int) -> Iterator[tuple[str, World]]:
        took = min(w.taken + 1, 3)
        yield f"sender {n}: 250", self._do(w._replace(taken=took), n, "250")
        yield f"sender {n}: taken, the reply is lost", self._do(w._replace(taken=took), n, "lost")
        yield f"sender {n}: lost", self._do(w, n, "lost")
        yield f"sender {n}: 4yz", self._do(w, n, "4yz")
        yield f"sender {n}: 5yz", self._do(w, n, "5yz")

    def _record(self, w: World, n: int, doing: str, *, mine: bool) -> Iterator[tuple[str, World]]:
        row = {"250": "T28", "4yz": "T29", "5yz": "T30", "lost": "T31"}[doing]
        if self.v.no_intent and mine and w.mail == "sending":
            after = {"250": "delivered", "4yz": "deferred", "5yz": "bounced", "lost": "deferred"}[doing]
            w = w._replace(mail=after, phase="none", owner=None, due=False)
        elif mine and self.fires(row, w, owner=n, proven=True):
            if row == "T29":
                w = self._deferred(w)
            else:
                to = str(self.rows[row].dst)
                w = w._replace(
                    mail=to, lost_track=w.lost_track or row == "T31", owner=None if row != "T31" else w.owner
                )
                w = w._replace(phase="announced" if row == "T31" else "none")
        yield f"sender {n} records {doing}", self._do(w, n, "idle")

    def _deferred(self, w: World) -> World:
        return w._replace(mail="deferred", phase="none", owner=None, due=False)

    @staticmethod
    def _do(w: World, n: int, what: str) -> World:
        return w._replace(doing=_at(w.doing, n, what))

    # -- people and crashes ------------------------------------------------------------------------------------

    def by_people(self, w: World) -> Iterator[tuple[str, World]]:
        """Reviewers decide; one says what became of an uncertain mail."""
        for n, principal in enumerate(("ann", "bob")):
            click = w.clicks[n]
            if click == "ready" and w.mail == "held":
                yield f"{principal} looks", w._replace(clicks=_at(w.clicks, n, "looked"))
            elif click == "looked" and self.v.publish_first and not w.published:
                yield "publish too early", w._replace(clicks=_at(w.clicks, n, "published"), published=True)
            elif click in {"looked", "published"}:
                told = {"seen_hash": "h", "seen_head": "m1", "version": w.release}
                after = w._replace(clicks=_at(w.clicks, n, "done"))
                if self.v.blind_approval or self.fires("T11", w, "reviewer", principal, **told):
                    fresh = w.mail == "held"
                    after = after._replace(decisions=w.decisions + 1)
                    if fresh:
                        after = after._replace(
                            mail="released", release=w.release + 1, phase="none", owner=None, used=False, due=False, decisions=1,
                            outbox="pending" if self.v.half == "deciding" else w.outbox,
                        )  # fmt: skip
                yield f"{principal} approves", after
        if w.mail == "uncertain" and not w.again:
            if self.fires("T32", w, "reviewer", "ann"):
                yield (
                    "not delivered, says a person",
                    w._replace(mail="held", phase="none", again=True, clicks=("looked", "done"), decisions=0),
                )
            if self.fires("T33", w, "reviewer", "ann"):
                yield "delivered, says a person", w._replace(mail="delivered", phase="none", word=True)

    def by_crash(self, w: World) -> Iterator[tuple[str, World]]:
        """A process loses its memory; what is committed, published or on the wire stays."""
        if w.crashes == 0:
            return
        less = w._replace(crashes=w.crashes - 1)
        if w.handler != "idle":
            yield "the gatekeeper crashes", less._replace(handler="idle")
        for n in SENDERS:
            if w.doing[n] != "idle":
                yield f"sender {n} crashes", self._do(less, n, "idle")
        for n in (0, 1):
            if w.clicks[n] == "published":
                yield "the api crashes", less._replace(clicks=_at(w.clicks, n, "done"))
        if w.published and w.outbox == "sent":
            yield "the broker loses its stream", less._replace(outbox="done")


def _at(pair: tuple[Any, Any], n: int, value: Any) -> Any:
    return (value, pair[1]) if n == 0 else (pair[0], value)


def broken(w: World) -> Iterator[str]:
    """Promises that this world breaks."""
    if w.decisions > 1:
        yield "B. no double approval"
    if w.taken > 1 and not w.again:
        yield "C. no duplicate while an uncertain mail waits for a person"
    if w.taken > 1 and w.again and not w.lost_track:
        yield "D. after a person had it sent again, a duplicate only through the window"
    if w.taken > 2:
        yield "D. after a person had it sent again, a duplicate only through the window"
    if w.mail == "delivered" and w.taken == 0 and not w.word:
        yield "E. never delivered without a 250, a report or a person's word"
    if w.taken and w.release == 0:
        yield "F. never sent without an approval"
    if w.published and w.release == 0:
        yield "A. an event tells of what is committed"
    if w.early:
        yield "H. no attempt before it is due"


@dataclass(frozen=True)
class Explored:
    """What a search saw."""

    states: int
    broken: Mapping[str, tuple[str, ...]]


def explore(variant: Variant | None = None, *, crashes: int = 2, until: str | None = None) -> Explored:
    """Every world within reach; for each broken promise the shortest way there."""
    model = Model(variant or Variant())
    start = DECIDING if model.v.half == "deciding" else DELIVERING
    start = start._replace(crashes=crashes, outbox="sent" if model.v.events_only else start.outbox)
    came: dict[World, tuple[World, str] | None] = {start: None}
    found: dict[str, tuple[str, ...]] = {}
    forward: dict[World, list[World]] = {}
    queue = deque([start])
    while queue:
        w = queue.popleft()
        for promise in broken(w):
            found.setdefault(promise, _way(came, w))
        if until is not None and any(p.startswith(until) for p in found):
            return Explored(len(came), found)
        alone = list(model.by_itself(w))
        forward[w] = [after for _, after in alone]
        for label, after in (*alone, *model.by_people(w), *model.by_crash(w)):
            if after not in came:
                came[after] = (w, label)
                queue.append(after)
    for w in _never_at_rest(forward, model.v.half):
        name = "G. what is released is claimed when due" if w.mail in {"released", "deferred"} else "A. no mail is lost"
        found.setdefault(name, _way(came, w))
    return Explored(len(came), found)


def _never_at_rest(forward: Mapping[World, Sequence[World]], half: str) -> Iterator[World]:
    """Worlds from which the installation by itself never comes to rest."""
    backward: dict[World, list[World]] = {}
    for w, following in forward.items():
        for after in following:
            backward.setdefault(after, []).append(w)
    rested = {w for w in forward if _rests(w, half)}
    queue = deque(rested)
    while queue:
        for earlier in backward.get(queue.popleft(), ()):
            if earlier not in rested:
                rested.add(earlier)
                queue.append(earlier)
    return (w for w in forward if w not in rested)


def _rests(w: World, half: str) -> bool:
    told = w.release == 0 or w.published
    return (
        (w.mail in RESTS or (half == "deciding" and w.mail == "released"))
        and w.input == "acked"
        and w.outbox in {"none", "done"}
        and told
    )


def _way(came: Mapping[World, tuple[World, str] | None], w: World) -> tuple[str, ...]:
    steps: list[str] = []
    at: tuple[World, str] | None = came[w]
    while at is not None:
        steps.append(at[1])
        at = came[at[0]]
    return tuple(reversed(steps))
