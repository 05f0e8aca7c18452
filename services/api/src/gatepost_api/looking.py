"""What a reviewer has seen: the moment of the look is written before it, and the look is taken again when it was outrun.

A decision without a hash binds to what its maker saw last. What came between the note and the look would be shown and yet
count as unseen, so then both are done once more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

from gatepost_api.office import Call, Office
from gatepost_api.status import Row

_LOOKS = 3


def born(mail: Row) -> datetime:
    """When what waits became what it is: its revision, its hold, the newest mail of its thread."""
    moments = (mail["created_at"], mail["revision_at"], mail["held_at"], mail["thread_head_at"])
    newest: datetime = max(moment for moment in moments if moment is not None)
    return newest


async def look(
    office: Office, call: Call, boxes: Sequence[str] | None, read: Callable[[], Awaitable[Iterable[Row]]]
) -> None:
    """Read, and remember the look of a reviewer; nobody else's, and none of HEAD."""
    caller = call.caller
    if not caller.is_reviewer or call.is_head:
        await read()
        return
    for _ in range(_LOOKS):
        seen_at = await office.store.fetchval("saw", caller.tenant_id, boxes, caller.principal_id)
        shown = await read()
        if seen_at is None or all(born(mail) <= seen_at for mail in shown):
            return
