"""Every audit record is a trace event: replayed through the table, a mail's records must land on its row.

The log does not hold every fact that a guard read, so expressions are evaluated over what it does hold, and the rest is
unknown (Kleene's three values). A conjunct that is surely false is a deviation: a step that the table forbids was taken.
Effects are the table's own, too; what they set to something unknown is not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost_oversight.digest import policy_digest
from gatepost_oversight.expr import Expr, evaluate
from gatepost_oversight.lifecycle import BY_ID
from gatepost_oversight.mode import LEVELS, Mode
from gatepost_oversight.move import Move, On
from gatepost_oversight.states import DERIVABLE, derive

Record = Mapping[str, Any]


class Unknown:
    """A value that the log does not tell."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()
_UNBORN: Mapping[str, Any] = {
    "release": 0, "revision": 0, "content": None, "rounds": 0, "system_template": False, "ok1": None, "ok1_hash": None,
    "ok1_key": None, "ok1_for": None, "ok2": None, "ok2_hash": None, "ok2_key": None, "ok2_for": None,
}  # fmt: skip
_NEW_DELIVERY: Mapping[str, Any] = {
    "st_delivery": "released",
    "used": False,
    "phase": "none",
    "attempts": 0,
    "sent_hash": None,
}
_AS_EFFECTIVE: Mapping[str, Any] = {
    "ceiling": Mode.AUTONOMOUS.value,
    "granted_mode": None,
    "covers_ask": False,
    "ask": None,
}
_COLUMNS = (
    "content",
    "ok1",
    "ok1_hash",
    "ok1_for",
    "ok2",
    "ok2_hash",
    "ok2_for",
    "release",
    "system_template",
    "rounds",
)
_DELIVERY_COLUMNS = ("used", "phase", "attempts", "sent_hash")


class Deviation(Exception):
    """The log and the table, or the log and the row, do not agree."""

    def __init__(self, subject: str, seq: int, why: str) -> None:
        super().__init__(f"{subject}.{seq}: {why}")
        self.subject, self.seq, self.why = subject, seq, why


@dataclass(frozen=True)
class Known:
    """The algebra of values some of which are unknown. Truth is `True`, as everywhere; nothing equals nothing."""

    variables: Mapping[str, Any]
    arguments: Mapping[str, Any]
    role_name: str
    principal_id: str | None

    def var(self, name: str) -> Any:
        """Its value, where the log tells it."""
        return self.variables.get(name, UNKNOWN)

    def arg(self, name: str) -> Any:
        """Its value, where the log tells it."""
        return self.arguments.get(name, UNKNOWN)

    def const(self, value: str | int | bool | None) -> Any:
        """Itself."""
        return value

    def eq(self, a: Any, b: Any) -> Any:
        """Equal."""
        return UNKNOWN if UNKNOWN in (a, b) else a == b

    def ne(self, a: Any, b: Any) -> Any:
        """Not equal."""
        return UNKNOWN if UNKNOWN in (a, b) else a != b

    def conjunction(self, parts: Sequence[Any]) -> Any:
        """False as soon as one part is."""
        if any(part is not True and part is not UNKNOWN for part in parts):
            return False
        return UNKNOWN if UNKNOWN in parts else True

    def disjunction(self, parts: Sequence[Any]) -> Any:
        """True as soon as one part is."""
        if any(part is True for part in parts):
            return True
        return UNKNOWN if UNKNOWN in parts else False

    def negation(self, a: Any) -> Any:
        """Not true."""
        return UNKNOWN if a is UNKNOWN else a is not True

    def le(self, a: Any, b: Any) -> Any:
        """At most; nothing is at most nothing."""
        if a is None or b is None:
            return False
        return UNKNOWN if UNKNOWN in (a, b) else a <= b

    def ite(self, condition: Any, then: Any, otherwise: Any) -> Any:
        """Either; where the condition is unknown, only what both say."""
        if condition is UNKNOWN:
            return then if then == otherwise else UNKNOWN
        return then if condition is True else otherwise

    def add(self, a: Any, b: Any) -> Any:
        """The sum."""
        if UNKNOWN in (a, b):
            return UNKNOWN
        return None if a is None or b is None else a + b

    def role(self, _: Expr) -> Any:
        """The record's."""
        return self.role_name

    def principal(self, _: Expr) -> Any:
        """The record's."""
        return self.principal_id

    def level(self, mode: Any) -> Any:
        """Its place."""
        return UNKNOWN if mode is UNKNOWN else LEVELS.get(mode)


@dataclass
class Replay:
    """One mail, or one mailbox, as its records so far leave it."""

    subject: str
    seq: int = 0
    row: str = ""
    variables: dict[str, Any] = field(default_factory=lambda: {"st": None, **_UNBORN})
    deliveries: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_whole: bool = True  # all deliveries of the present release are known

    def take(self, record: Record) -> None:
        """The next record; raises Deviation where the table does not lead there, or where it is no record at all."""
        try:
            self._take(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Deviation(self.subject, self.seq + 1, f"it cannot be replayed: {type(error).__name__}") from error

    def _take(self, record: Record) -> None:
        row = BY_ID.get(record["row"])
        self._need(record["seq"] == self.seq + 1, record, f"number {self.seq} came before")
        if record["policy"] != policy_digest():
            self._foreign(record)
            return
        if row is None:
            raise Deviation(self.subject, record["seq"], f"no row {record['row']}")
        self._need(record["role"] in row.roles, record, f"{row.id} is not for the role {record['role']}")
        env = self._environment(row, record)
        self._edge(row, record, env)
        known = Known(env, _arguments(record), record["role"], record["principal"])
        for name, condition in row.guard:
            self._need(evaluate(condition, known) is not False, record, f"{row.id} although not {name}")
        self._apply(row, record, {name: evaluate(value, known) for name, value in row.set}, known)
        self.seq, self.row = record["seq"], row.id

    def _foreign(self, record: Record) -> None:
        """A record of another release's table is not judged by ours; what it says of the state counts."""
        self.variables = dict.fromkeys(self.variables, UNKNOWN)
        self.variables["st"] = record["to"] if record["delivery"] is None else UNKNOWN
        self.deliveries, self.is_whole = {}, False
        self.seq, self.row = record["seq"], record["row"]

    def compare(self, stored: Mapping[str, Any], deliveries: Iterable[Mapping[str, Any]]) -> None:
        """The row that the database holds, at the version of the newest record; raises Deviation where it differs.

        `stored` and `deliveries` are rows of `message` and `delivery`.
        """
        found = {row["id"]: row for row in deliveries}
        for name, row in found.items():
            self._need_known(name, row["of_release"])
        self._same("version", self.seq, stored["version"])
        self._same("last_row", self.row, stored["last_row"])
        self._same("state", self.variables["st"], stored["state"])
        for name in _COLUMNS:
            self._same(name, self.variables[name], stored[name])
        for name, said in self.deliveries.items():
            self._same(f"delivery {name}", name, found[name]["id"] if name in found else None)
            self._same(f"{name} state", said["st_delivery"], found[name]["state"])
            for column in _DELIVERY_COLUMNS:
                self._same(f"{name} {column}", said[column], found[name][column])

    def _need_known(self, name: str, of_release: int) -> None:
        """A delivery that no release named did not come of a release."""
        if self.is_whole and name not in self.deliveries:
            raise Deviation(self.subject, self.seq, f"delivery {name} is of no release")
        self._delivery(name, of_release)

    def _same(self, what: str, said: Any, stored: Any) -> None:
        if said is not UNKNOWN and said != stored:
            raise Deviation(self.subject, self.seq, f"{what} is {stored!r}, and the log leads to {said!r}")

    def _need(self, condition: bool, record: Record, why: str) -> None:
        if not condition:
            raise Deviation(self.subject, record["seq"], why)

    def _environment(self, row: Move, record: Record) -> dict[str, Any]:
        """What the log tells of the step's variables; the effective mode stands for the modes that make it."""
        env = dict(self.variables)
        if row.on is On.NEW:
            env |= _born(record)
        elif row.on is On.WORLD:
            return {"mode": record["from"]}
        elif row.on is On.DELIVERY:
            self._need(record["delivery"] is not None, record, f"{row.id} of no delivery")
            env |= self._delivery(record["delivery"])
        if record["mode"] is not None:
            env |= {"mode": record["mode"], **_AS_EFFECTIVE}
        content, revision = record["content"], record["data"].get("revision", UNKNOWN)
        states = [delivery["st_delivery"] for delivery in self.deliveries.values()]
        tries = [delivery["attempts"] for delivery in self.deliveries.values()]
        nothing = False if self.is_whole and UNKNOWN not in tries else UNKNOWN
        return env | {
            "rev_content": content, "rev_n": revision, "mailbox": record["mailbox"],
            "claimed": True if "sending" in states else nothing,
            "attempted": True if any(n is not UNKNOWN and n > 0 for n in tries) else nothing,
        }  # fmt: skip

    def _edge(self, row: Move, record: Record, env: Mapping[str, Any]) -> None:
        source, target = record["from"], record["to"]
        where = f"{row.id} from {source} to {target}"
        match row.on:
            case On.NEW:
                self._need(source is None and self.seq == 0 and target == row.dst, record, where)
                return
            case On.WORLD:
                before = self.variables["st"]
                self._need(before in (None, source), record, f"the mode was {before}, not {source}")
                return
            case On.REVISION:
                self._need(source == target and source in row.src, record, where)
            case _:
                self._need(source in row.src and target == row.dst, record, where)
        now = env["st_delivery" if row.on is On.DELIVERY else "st"]
        self._need(now is UNKNOWN or now == source, record, f"{row.id} from {source}, and it was {now}")

    def _apply(self, row: Move, record: Record, changes: Mapping[str, Any], known: Known) -> None:
        if row.on is On.WORLD:
            self.variables["st"] = record["to"]
            return
        if row.on is On.DELIVERY:
            delivery = self._delivery(record["delivery"])
            delivery |= {name: value for name, value in changes.items() if name in delivery}
            delivery["st_delivery"] = record["to"]
            self._derive(row, known)
            return
        if row.on is On.NEW:
            self.variables |= _born(record)
        self.variables |= changes
        if row.on is not On.REVISION:
            self.variables["st"] = record["to"]
        if row.releases:
            self._release(row, record)
        if row.takes_back is not None:
            for delivery in self.deliveries.values():
                if delivery["st_delivery"] in {"released", "deferred"}:
                    delivery["st_delivery"] = row.takes_back.value

    def _release(self, row: Move, record: Record) -> None:
        if row.on is On.NEW:
            self.variables |= {"release": 1, "content": record["content"], "system_template": True}
        named = record["data"].get("deliveries")
        self.is_whole = named is not None
        for name in named or ():
            self._delivery(name)

    def _derive(self, row: Move, known: Known) -> None:
        """The mail's state from the deliveries of its present release, as the steps on deliveries do."""
        state = self.variables["st"]
        if state is not UNKNOWN and state not in DERIVABLE:
            return
        state = self.variables["st"] = self._derived() if self.is_whole else UNKNOWN
        for at, values in row.then:
            if state is UNKNOWN:
                self.variables |= {name: UNKNOWN for name, _ in values}
            elif state == at:
                self.variables |= {name: evaluate(value, known) for name, value in values}

    def _derived(self) -> Any:
        now = [d["st_delivery"] for d in self.deliveries.values() if d["of_release"] == self.variables["release"]]
        return derive(now).value if now and UNKNOWN not in now else UNKNOWN

    def _delivery(self, name: str, of_release: int | None = None) -> dict[str, Any]:
        """The delivery of this id; its release stands in it."""
        if name not in self.deliveries:
            number = of_release if of_release is not None else int(name.split(".")[-2])
            fresh = _NEW_DELIVERY if self.is_whole else dict.fromkeys(_NEW_DELIVERY, UNKNOWN)
            self.deliveries[name] = {**fresh, "of_release": number}
        return self.deliveries[name]


def _born(record: Record) -> dict[str, Any]:
    is_ours = record["data"].get("author") is not None
    return {"drafter": record["data"]["author"] if is_ours else UNKNOWN}


def _arguments(record: Record) -> dict[str, Any]:
    actor = record["actor"] or ""
    return {"actor_key": actor if actor.startswith("key_") else None}


def replay(subject: str, records: Iterable[Record]) -> Replay:
    """All records of one mail or mailbox; raises Deviation at the first that the table does not allow."""
    found = Replay(subject)
    for record in records:
        found.take(record)
    return found
