"""What is known before autonomy is raised: what the reviews prove, and what another policy would have done.

Shown, never acted on: only a person raises.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from gatepost_api.boxes import mode_of
from gatepost_api.errors import invalid
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_oversight.category import CategoryRule, Conditions, ModeGrant, grants_of, inbound_of, rules_of
from gatepost_oversight.dry_run import Judged, Outcome, Policy, compare
from gatepost_oversight.evidence import TARGETS, is_clean, is_meaningful, lower_bound, reviews_still_needed
from gatepost_oversight.mode import Mode

REVIEWS_MOST, JUDGED_MOST, DAYS = 5000, 2000, 30


async def evidence(office: Office, call: Call) -> Reply:
    """Per category of a mailbox: the exact lower bound, what is still needed, and how uniform the agents' asks are."""
    box = await office.only_mailbox(call)
    found = await by_category(office, box["id"])
    is_told = may_know(call)
    if (wanted := call.fields.text("category", most=100)) is not None:
        found = [item for item in found if item["category"] == wanted] or [_item(wanted, 0, 0)]
    asks: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await office.store.fetch("asks", box["id"]):
        asks[row["author"]][row["ask"] or "none"] = row["n"]
    return Reply({
        "mailbox_id": box["id"], "oversight_mode": box["mode"], "ceiling": box["ceiling"], "confidence": 0.95 if is_told else None,
        "categories": [told(item, is_told=is_told) for item in found], "asks": dict(asks), "mailbox": told(_whole(found), is_told=is_told),
    })  # fmt: skip


def may_know(call: Call) -> bool:
    """May this key see how far it is to more freedom? An agent's may not: it would write towards the line."""
    return call.caller.kind != "agent"


def told(item: dict[str, Any], *, is_told: bool) -> dict[str, Any]:
    """Counts, and for those who may know the bounds."""
    return item if is_told else {**item, "lower_bound": None, "reviews_still_needed": {}}


async def by_category(office: Office, mailbox_id: str) -> list[dict[str, Any]]:
    """The newest reviews, counted by the category that our rules gave; "" is what no rule matches."""
    clean: dict[str, int] = defaultdict(int)
    reviewed: dict[str, int] = defaultdict(int)
    for row in await office.store.fetch("reviews", mailbox_id, REVIEWS_MOST):
        reviewed[row["category"]] += 1
        clean[row["category"]] += is_clean(row["approved"], row["rejected"], row["edit_words"])
    return [_item(name, clean[name], reviewed[name]) for name in sorted(reviewed)]


def _whole(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The mailbox as one, whatever the category."""
    return _item("*", sum(item["approved_clean"] for item in items), sum(item["reviewed"] for item in items))


def _item(name: str, clean: int, reviewed: int) -> dict[str, Any]:
    needed = {f"{target:.0%}": reviews_still_needed(clean, reviewed, target) for target in TARGETS}
    return {
        "category": name, "reviewed": reviewed, "approved_clean": clean,
        "lower_bound": round(lower_bound(clean, reviewed), 6), "reviews_still_needed": needed,
    }  # fmt: skip


# -- dry run -------------------------------------------------------------------------------------------------------


async def dry_run(office: Office, call: Call) -> Reply:
    """What the proposed policy would have done with the past days, beside the present one. Nothing is changed."""
    box = await office.only_mailbox(call)
    days = call.fields.number("days", DAYS, 1, 365)
    rules = rules_of(await office.store.fetch("category_rules", box["id"]))
    grants = grants_of(await office.store.fetch("mode_grants", box["id"]))
    also: Any = await office.store.fetchrow("sampling", box["id"])
    present = Policy(
        Mode(box["mode"]), Mode(box["ceiling"]), box["covers_ask"], rules, grants, two_person=also["two_person"],
        sample_rate=also["sample_rate"], samples_mailbox=also["is_loosened"],
    )  # fmt: skip
    proposed = proposal(call, present)
    rows = await office.store.fetch("judged", box["id"], days, call.caller.tenant_id, JUDGED_MOST)
    first = {
        row["id"]: row for row in rows
    }  # newest first, so that the first judgement of a mail is the one that stays
    known = [row for row in first.values() if row["facts"] is not None]
    outcome = await asyncio.to_thread(compare, proposed, present, [_judged(row) for row in known])
    view = _outcome(outcome)
    return Reply({
        "mailbox_id": box["id"], "days": days, **view, "not_known": len(first) - len(known),
        "is_complete": len(rows) < JUDGED_MOST,
        "note": "`sampled` of those let go would be held all the same, by the lasting sample of what was loosened.",
    })  # fmt: skip


def proposal(call: Call, present: Policy) -> Policy:
    """The present policy with what the request would change."""
    fields = call.fields
    mode, ceiling = mode_of(fields.text("oversight_mode")), mode_of(fields.text("ceiling"))
    covers = fields.flag("covers_ask")
    two = fields.flag("two_person")
    found = replace(
        present, mode=mode or present.mode, ceiling=ceiling or present.ceiling,
        covers_ask=present.covers_ask if covers is None else covers, two_person=present.two_person if two is None else two,
        samples_mailbox=present.samples_mailbox or mode not in {None, present.mode},
    )  # fmt: skip
    for item in _items(fields.raw("categories"), "categories"):
        found = _with_category(found, item)
    for item in _items(fields.raw("allowlist"), "allowlist"):
        pattern = str(item.get("pattern") or item.get("entry") or "").strip().lower()
        word = item.get("oversight_mode", "monitored")
        found = _with_grant(found, "allowlist", pattern, word, covers=bool(item.get("covers_ask")))
    return found


def _items(value: Any, name: str) -> list[Mapping[str, Any]]:
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in items):
        raise invalid(name, "must be a list of objects")
    return items


def _with_category(policy: Policy, item: Mapping[str, Any]) -> Policy:
    name = str(item.get("name") or "").strip()
    if not name:
        raise invalid("categories", "each needs a name")
    if "conditions" in item or "priority" in item:
        others = tuple(rule for rule in policy.rules if rule.name != name)
        before = next((rule for rule in policy.rules if rule.name == name), None)
        policy = replace(policy, rules=others)
        conditions = item.get("conditions", before.conditions.model_dump() if before else None)
        if conditions is not None:
            try:
                wanted = Conditions.model_validate(conditions)
                priority = int(item.get("priority", before.priority if before else 0))
            except (ValidationError, ValueError, TypeError):
                raise invalid("categories", f"the conditions of {name[:40]!r} are none") from None
            policy = replace(policy, rules=(*others, CategoryRule(name, 0, priority, wanted)))
    if "oversight_mode" in item:
        covers = bool(item.get("covers_ask"))
        policy = _with_grant(policy, "category", name, item["oversight_mode"], covers=covers)
    return policy


def _with_grant(policy: Policy, kind: str, name: str, word: Any, *, covers: bool) -> Policy:
    others = tuple(grant for grant in policy.grants if (grant.kind, grant.name) != (kind, name))
    mode = mode_of(None if word is None else str(word))
    added = () if mode is None else (ModeGrant("", kind, name, mode, covers),)
    return replace(policy, grants=others + added)


def _judged(row: Row) -> Judged:
    labels = tuple(label for label in (row["category"], row["revision_category"]) if label)
    answered = row["original_id"] is not None and row["answers_newest"]
    return Judged(
        message_id=row["id"], facts=frozenset(row["facts"]), recipients=tuple(row["recipients"]),
        ask=Mode(row["ask"]) if row["ask"] else None, labels=labels,
        mail=inbound_of(row, row["tags"]) if answered else None, became=_became(row),
    )  # fmt: skip


def _became(row: Row) -> str:
    if row["rejected"]:
        return "rejected"
    if row["approved"]:
        return "edited" if is_meaningful(row["edit_words"]) else "approved"
    if row["row_id"] == "T08":
        return "released"
    return "waits" if row["state"] in {"held", "revising", "drafted"} else str(row["state"])


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "judged": outcome.judged, "verdicts": dict(outcome.verdicts), "categories": dict(outcome.categories),
        "reasons": dict(outcome.reasons), "newly_released": dict(outcome.newly_released),
        "newly_held": outcome.newly_held, "sampled": round(outcome.sampled, 2),
        "second_approvals": outcome.second_approvals, "examples": outcome.examples,
    }  # fmt: skip
