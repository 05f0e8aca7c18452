"""The house rules that a machine can check: the tree in the README, module sizes, locks, what must never be committed."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tracked() -> list[Path]:
    """The files git knows; all of them in a copy without git."""
    answer = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = answer.stdout.splitlines()
    if not names:
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file() and ".venv" not in p.parts]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def requirements(name: str) -> dict[str, str]:
    return dict(
        re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE | re.IGNORECASE)
    )


def test_the_tree_in_the_readme_is_the_tree() -> None:
    """Someone who knows mail finds every folder from the picture."""
    named = set(re.findall(r"^((?:services|libs|deploy)/\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    members = {
        str(p.parent.relative_to(ROOT)) for kind in ("services", "libs") for p in ROOT.glob(f"{kind}/*/pyproject.toml")
    }

    assert named - {"deploy/k8s"} == members


def test_no_module_is_over_400_lines() -> None:
    """Split along the questions a module answers."""
    long = {str(p.relative_to(ROOT)): n for p in tracked() if p.suffix == ".py" and "tests" not in p.parts
            for n in [len(p.read_text("utf-8").splitlines())] if n > 400}  # fmt: skip

    assert long == {}


def test_every_module_of_ours_says_what_it_answers() -> None:
    silent = [
        str(p.relative_to(ROOT))
        for p in tracked()
        if p.suffix == ".py" and p.parts[len(ROOT.parts)] in {"libs", "services"} and p.read_text("utf-8").strip()
        and not p.read_text("utf-8").lstrip().startswith(('"""', 'r"""'))
    ]  # fmt: skip

    assert silent == []


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-dev.lock", "requirements-uv.lock", "requirements-compat.lock"]
)
def test_a_lock_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    blocks = re.split(r"^(?=[a-zA-Z0-9])", text, flags=re.MULTILINE)[1:]

    assert "://" not in text
    assert len(blocks) > 0
    assert [b.split()[0] for b in blocks if "--hash=sha256:" not in b] == []


def test_what_runs_is_what_is_developed_with() -> None:
    run, dev = requirements("requirements.lock"), requirements("requirements-dev.lock")

    assert len(run) > 30
    assert {name: dev.get(name) for name in run} == run


def test_what_only_checks_is_not_installed_to_run() -> None:
    assert {"z3-solver", "hypothesis", "pytest", "mypy", "ruff"} & set(requirements("requirements.lock")) == set()


def test_every_member_is_in_the_workspace() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    members = {
        f"gatepost-{p.parent.name}" for kind in ("services", "libs") for p in ROOT.glob(f"{kind}/*/pyproject.toml")
    }

    assert set(project["project"]["dependencies"]) == members
    assert {p.replace("_", "-") for p in project["tool"]["mypy"]["packages"]} == members


def test_nothing_of_a_machine_or_a_registry_is_committed() -> None:
    """Paths of a machine and addresses of registries stay out."""
    hosts = (
        "py" + "pi.org",
        "python" + "hosted.org",
        "registry." + "npmjs.org",
        "deb." + "debian.org",
        "/work" + "/main",
        "/root" + "/",
    )
    found = []
    for path in tracked():
        if path.suffix in {".eml", ".png"} or path.name == "LICENSE":
            continue
        text = path.read_text("utf-8", "replace")
        found += [f"{path.relative_to(ROOT)}: {host}" for host in hosts if host in text]

    assert found == []


def test_every_dependency_is_explained() -> None:
    """A library is chosen with a reason."""
    page = (ROOT / "docs/dependencies.md").read_text().replace("_", "-")
    used = set()
    for file in ROOT.glob("*/*/pyproject.toml"):
        for line in tomllib.loads(file.read_text())["project"]["dependencies"]:
            used.add(re.split(r"[\[=<>;, ]", line)[0].replace("_", "-"))

    assert sorted(name for name in used if not name.startswith("gatepost-") and name not in page) == []
