"""CPU time and memory of running processes, read from /proc; children are counted with their parent."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            found.setdefault(parent, []).append(int(entry.name))
    return found


def cpu_ms(pid: int) -> float:
    """User and system time of a process and all its descendants, dead and reaped ones included, in milliseconds."""
    children, left, total = _children(), [pid], 0
    while left:
        one = left.pop()
        left += children.get(one, [])
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(fields[i]) for i in (11, 12, 13, 14))
    return total * 1000 / TICKS


def pss_mb(pid: int) -> float:
    """Proportional memory of one process, in megabytes; 0 where the kernel does not say."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0
