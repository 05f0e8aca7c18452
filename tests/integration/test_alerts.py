"""The committed alert rules beside a running installation: what they ask about is counted, and dead letters raise one."""

from __future__ import annotations

import asyncio
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.api.test_dead_letters import bury, purge

from support.installation import GATEPOST, Installation, eventually

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/k8s/alerts/rules.yaml"
MORE_THAN_NONE = re.compile(r"max\((\w+)\) > 0")


def rules() -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["spec"]["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def counted(gatepost: Installation) -> dict[str, float]:
    """Every figure of every service, the largest where there are several."""
    found: dict[str, float] = {}
    for url in gatepost.info["health"].values():
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as page:
            families = list(text_string_to_metric_families(page.read().decode()))
        for family in families:
            found[family.name + ("_total" if family.type == "counter" else "")] = 0
        for sample in (sample for family in families for sample in family.samples):
            found[sample.name] = max(found.get(sample.name, 0), sample.value)
    return found


def unknown(expression: str, known: set[str]) -> set[str]:
    return set(re.findall(r"gatepost_\w+", expression)) - known


def test_a_rule_asks_about_what_is_counted(gatepost: Installation) -> None:
    """An alert on a name that nobody exports never fires; a name of another spelling is found."""
    known = set(counted(gatepost))

    assert {} == {name: gone for name, rule in rules().items() if (gone := unknown(rule["expr"], known))}
    assert {"gatepost_dead_letters_wating"} == unknown("max(gatepost_dead_letters_wating) > 0", known)


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: str(rule["alert"]))
def test_a_rule_says_what_to_do(rule: dict[str, Any]) -> None:
    """A page that is there, and a sentence with a command or a place to look at."""
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert (ROOT / rule["annotations"]["runbook"]).is_file()
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]


def test_a_dead_letter_raises_the_alert_and_shows_in_status(gatepost: Installation) -> None:
    """The condition of the committed rule, on the figures of the running processes, before, during and after."""
    (name,) = MORE_THAN_NONE.findall(rules()["GatepostDeadLetters"]["expr"])
    eventually(lambda: counted(gatepost)[name] == 0, "no dead letters")
    seq = bury(gatepost, {"event_id": "msg_none.1.email.received"})
    eventually(lambda: counted(gatepost)[name] == 1, "the count")
    told = subprocess.run(
        [str(GATEPOST), "status", "--data", str(gatepost.data)], capture_output=True, text=True, check=True
    ).stdout
    asyncio.run(purge(gatepost, seq))
    eventually(lambda: counted(gatepost)[name] == 0, "the count going back")

    assert "gatepost dead ls" in told
