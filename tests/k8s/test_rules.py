"""Our own rules on the rendered manifests: what runs in a cluster is restricted, probed, and holds only its own secrets."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DIST = sorted((ROOT / "deploy/k8s/dist").glob("install-*.yaml"))
SERVICES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")
KEYS = {
    "ingest": {"token.key"}, "drafter": set(), "gatekeeper": {"grant.key", "checkpoint.key"},
    "sender": {"grant.pub", "identity.key", "token.key", "sender.seal.key"}, "notifier": {"notifier.seal.key"},
    "api": {"token.key", "identity.pub", "notifier.seal.pub"},
}  # fmt: skip


def objects(file: Path) -> list[dict[str, Any]]:
    return [o for o in yaml.safe_load_all(file.read_text()) if o]


def pods(found: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(o["metadata"]["name"], o["spec"]["template"]["spec"]) for o in found if o["kind"] in {"Deployment", "Job"}]


def faults(found: list[dict[str, Any]]) -> list[str]:
    """What is wrong, a sentence each."""
    said: list[str] = []
    names = {o["metadata"]["name"] for o in found if o["kind"] == "Deployment"}
    said += [f"no Deployment for {s}" for s in SERVICES if f"gatepost-{s}" not in names]
    for name, pod in pods(found):
        context = pod.get("securityContext", {})
        if not context.get("runAsNonRoot") or context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            said.append(f"{name}: pod is not restricted")
        if pod.get("automountServiceAccountToken") is not False:
            said.append(f"{name}: a service account token is mounted")
        for container in pod["containers"]:
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities", {}).get("drop") != ["ALL"]:
                said.append(f"{name}: container may gain rights")
            if not own.get("readOnlyRootFilesystem"):
                said.append(f"{name}: root file system is writable")
            if {"cpu", "memory"} - set(container["resources"]["requests"]) or "memory" not in container["resources"][
                "limits"
            ]:
                said.append(f"{name}: no requests or memory limit")
            for variable in container.get("env", ()):
                if "secretKeyRef" in str(variable.get("valueFrom")) or "://" in str(variable.get("value", "")):
                    said.append(f"{name}: {variable['name']} puts a secret into the environment")
            if name.removeprefix("gatepost-") in SERVICES:
                probes = [
                    container.get(p, {}).get("httpGet", {}).get("path")
                    for p in ("startupProbe", "livenessProbe", "readinessProbe")
                ]
                if probes != ["/livez", "/livez", "/readyz"]:
                    said.append(f"{name}: probes are {probes}")
    for service in SERVICES:
        pod = dict(pods(found)).get(f"gatepost-{service}")
        if pod is None:
            continue
        sources = [s["secret"] for v in pod["volumes"] if "projected" in v for s in v["projected"]["sources"]]
        mounted = {i["key"] for s in sources if s["name"].endswith("-keys") for i in s["items"]}
        if mounted != KEYS[service]:
            said.append(f"{service}: mounts keys {sorted(mounted)}")
        if service == "sender" and pod["terminationGracePeriodSeconds"] < 330:
            said.append("sender: less grace than the final dot may take")
    return said


def test_there_is_something_to_check() -> None:
    assert [f.name for f in DIST] == ["install-dev.yaml", "install-prod.yaml"]


@pytest.mark.parametrize("file", DIST, ids=lambda f: f.stem)
def test_the_rendered_manifests_keep_our_rules(file: Path) -> None:
    """The committed files are what people apply."""
    assert faults(objects(file)) == []


@pytest.mark.parametrize(
    ("plant", "word"),
    [
        (lambda pod, c: pod["securityContext"].pop("runAsNonRoot"), "restricted"),
        (lambda pod, c: c["securityContext"].update(readOnlyRootFilesystem=False), "writable"),
        (lambda pod, c: c.pop("livenessProbe"), "probes"),
        (lambda pod, c: c["env"].append({"name": "X", "value": "nats://u:p@h"}), "environment"),
        (lambda pod, c: pod["volumes"][1]["projected"]["sources"].append(
            {"secret": {"name": "gatepost-gatekeeper-keys", "items": [{"key": "grant.key", "path": "x"}]}}), "mounts keys"),
    ],
)  # fmt: skip
def test_each_rule_can_fail(plant: Any, word: str) -> None:
    """A check that never fails guards nothing."""
    found = copy.deepcopy(objects(DIST[0]))
    pod = dict(pods(found))["gatepost-ingest"]
    plant(pod, pod["containers"][0])

    assert any(word in said for said in faults(found))
