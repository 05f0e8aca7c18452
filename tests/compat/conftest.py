"""What the guides' programs need: clients with the key that may, a mailbox of their own, a receiver."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.receiver import Receiver

HERE = Path(__file__).parent
_numbers = itertools.count(1)


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def multimail() -> ModuleType:
    """The shim that stands under the published name."""
    return _load("multimail", HERE.parents[1] / "examples" / "multimail.py")


@pytest.fixture(scope="session")
def client(gatepost: Any, multimail: ModuleType) -> Iterator[Callable[[str], Any]]:
    """A client with the key of that name, as the guides make one."""
    made = {
        name: multimail.MultimailClient(gatepost.keys[name], base_url=gatepost.http_url)
        for name in ("operator", "agent", "reviewer")
    }
    yield made.__getitem__
    for one in made.values():
        one.close()


@pytest.fixture
def receiver() -> Iterator[Any]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def box(client: Callable[[str], Any]) -> dict[str, Any]:
    """A fresh mailbox that our drafter leaves to the agent."""
    return dict(client("operator").create_mailbox(f"support{next(_numbers)}@guide.test", "Support"))
