"""The doors of the session's installation, and a mailbox for each module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.doors import Doors, numbers


@pytest.fixture(scope="module")
def doors(gatepost: Any) -> Iterator[Doors]:
    made = Doors(gatepost)
    yield made
    made.close()


@pytest.fixture(scope="module")
def box(doors: Doors) -> dict[str, Any]:
    return dict(doors["operator"].post("/v1/mailboxes", json={"address": f"doors{next(numbers)}@guide.test"}).json())
