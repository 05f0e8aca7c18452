"""What a row of the lifecycle table is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gatepost_oversight.credential import Role
from gatepost_oversight.expr import Expr
from gatepost_oversight.states import State
from gatepost_oversight.terms import Conjunct


class On(StrEnum):
    """What a row moves."""

    NEW = "new"  # makes a message
    MESSAGE = "message"
    DELIVERY = "delivery"  # one recipient; the message's state follows
    REVISION = "revision"  # adds a revision, the message's state stays
    WORLD = "world"  # a mailbox, a pause, a suppression, an endpoint; never a mail


@dataclass(frozen=True)
class Move:
    """One row: who may bring what from where to where, under which conditions, and what it sets and tells."""

    id: str
    event: str
    on: On
    src: frozenset[State]
    roles: frozenset[Role]
    guard: tuple[Conjunct, ...]
    dst: State | None  # None: the state stays (revisions, world)
    set: tuple[tuple[str, Expr], ...]
    emits: tuple[str, ...]
    services: tuple[str, ...]  # whose database role runs it
    doc: str
    releases: bool = False  # inserts one delivery per recipient that has no end yet
    takes_back: State | None = None  # what open deliveries of the present release become
    then: tuple[
        tuple[State, tuple[tuple[str, Expr], ...]], ...
    ] = ()  # of a delivery's row: set on its mail that became this
    does: str = ""  # of a world row: what it does beside the mailbox's own columns, a name of world.EFFECTS
    must_name_version: bool = False

    @property
    def guard_names(self) -> tuple[str, ...]:
        """All names that can come back in `failed`."""
        added = ("STATE",) if self.src else ()
        version = ("VERSION",) if self.on is On.MESSAGE else ()
        return (*added, *version, "ROLE", *dict.fromkeys(name for name, _ in self.guard))


def move(
    row: str,
    event: str,
    src: Iterable[State],
    roles: Iterable[Role],
    guard: Iterable[Conjunct],
    dst: State | None,
    doc: str,
    *,
    sets: dict[str, Expr] | None = None,
    emits: str | tuple[str, ...] = (),
    on: On = On.MESSAGE,
    by: str | tuple[str, ...] = "gatekeeper",
    releases: bool = False,
    takes_back: State | None = None,
    then: Mapping[State, Mapping[str, Expr]] | None = None,
    does: str = "",
) -> Move:
    """A row, written the short way."""
    return Move(
        id=row, event=event, on=on, src=frozenset(src), roles=frozenset(roles), guard=tuple(guard), dst=dst,
        set=tuple((sets or {}).items()), emits=(emits,) if isinstance(emits, str) else emits,
        services=(by,) if isinstance(by, str) else by, doc=doc, releases=releases, takes_back=takes_back,
        then=tuple((state, tuple(values.items())) for state, values in (then or {}).items()), does=does,
        must_name_version=releases and on is On.MESSAGE,
    )  # fmt: skip
