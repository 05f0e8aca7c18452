"""As whom Postgres may run here. It refuses to be root, and we make no users and open no folders for it.

A plain user runs it plainly. Root runs it as nobody inside a user namespace, where its files stay root's and may lie in a 0700
folder. Where namespaces are refused, root gives up its rights for good and the data folder belongs to nobody. A
folder that exists already decides by its owner.
"""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

from gatepost_embedded.children import NOBODY, PLAIN, Guise, has_namespaces
from gatepost_embedded.errors import EmbeddedError
from gatepost_embedded.settings import essentials

HOPELESS = (
    "Postgres does not run as root, and here root may neither make a user namespace (unshare --user) "
    "nor run {binary} as uid {uid}: {why}. "
    "Start Gatepost as a plain user, or set GATEPOST_DATABASE_URL"
)


def guise_for(data: Path, binary: Path) -> Guise:
    """How to run the programs of Postgres on this folder, whether it exists yet or not."""
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise EmbeddedError(
                f"the database in {data} belongs to uid {owner}, and this is uid {os.geteuid()}; "
                f"start it as that user, or name another folder"
            )
        return PLAIN
    if owner in (None, 0) and _namespace_runs(binary):
        return Guise(namespace=True)
    if owner == 0:
        raise EmbeddedError(
            f"the database in {data} was made in a user namespace, which is refused here now (unshare --user); "
            f"allow it again, or name another folder"
        )
    uid, gid = (NOBODY, NOBODY) if owner is None else (data.stat().st_uid, data.stat().st_gid)
    why = _why_not(binary, uid, gid)
    if why:
        raise EmbeddedError(HOPELESS.format(binary=binary, uid=uid, why=why))
    return Guise(uid=uid, gid=gid)


@functools.cache
def _namespace_runs(binary: Path) -> bool:
    return has_namespaces() and binary.exists()


def _why_not(binary: Path, uid: int, gid: int) -> str:
    try:
        answer = subprocess.run(
            [str(binary), "--version"],
            capture_output=True,
            text=True,
            check=False,
            env=essentials(),
            cwd="/",
            user=uid,
            group=gid,
            extra_groups=[],
        )
    except OSError as error:
        return error.strerror or "it cannot be started"
    return "" if answer.returncode == 0 else answer.stderr.strip() or "it does not run"
