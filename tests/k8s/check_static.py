"""Needs kubectl: the committed files are what the manifests render to, and every object fits the strict schema."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not here")


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_dist_is_what_the_manifests_render_to(overlay: str) -> None:
    folder = ROOT / "deploy/k8s/overlays" / overlay
    rendered = subprocess.run(["kubectl", "kustomize", str(folder)], check=True, capture_output=True, text=True).stdout

    assert (ROOT / f"deploy/k8s/dist/install-{overlay}.yaml").read_text() == rendered, "run `make k8s-render`"


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_every_object_fits_the_strict_schema(overlay: str) -> None:
    for item in yaml.safe_load_all((ROOT / f"deploy/k8s/dist/install-{overlay}.yaml").read_text()):
        kubernetes_validate.validate(item, "1.34", strict=True)


def test_a_misspelt_field_is_found() -> None:
    item = yaml.safe_load((ROOT / "deploy/k8s/dist/install-dev.yaml").read_text().split("\n---\n")[0])
    item["metadata"]["lables"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(item, "1.34", strict=True)
