"""Fixtures that every suite may use. Each starts servers of its own on free ports and ends them by pid."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cluster import Cluster, running
from support.installation import Installation


@pytest.fixture(autouse=True)
def settings_are_left_as_found() -> Iterator[None]:
    """What a test sets in our environment ends with it; a command of the next test would follow it elsewhere."""
    before = {k: v for k, v in os.environ.items() if k.startswith("GATEPOST_")}
    yield
    for name in [k for k in os.environ if k.startswith("GATEPOST_")]:
        if name not in before:
            del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One Postgres for the whole session; each suite makes databases of its own in it."""
    with running(tmp_path_factory.mktemp("postgres")) as made:
        yield made


MODES = ("read_only", "gated_all", "monitored", "autonomous")


@pytest.fixture(scope="session")
def gatepost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One running installation for the whole session: the demo mailbox and one mailbox in each other mode."""
    data: Path = tmp_path_factory.mktemp("gatepost")
    extra = [part for mode in MODES for part in ("--mailbox", f"{mode.replace('_', '-')}@demo.test={mode}")]
    installation = Installation(data, *extra).start()
    yield installation
    assert installation.stop() == 0
