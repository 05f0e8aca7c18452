"""Files that only we may read, written whole or not at all, and the lock that keeps a folder to one process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from pathlib import Path

from gatepost_embedded.errors import EmbeddedError, FolderInUseError


def private_folder(path: Path) -> Path:
    """Make the folder with mode 0700; one that exists is left as it is."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"cannot make the folder {path}: {error.strerror}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        owner = path.stat().st_uid
        raise EmbeddedError(f"the folder {path} belongs to uid {owner} and cannot be written by uid {os.geteuid()}")
    return path


def write_private(path: Path, text: str | bytes) -> None:
    """Replace the file in one step: readers see the old text or the new one, mode 0600, never a half."""
    data = text.encode() if isinstance(text, str) else text
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make a rename in this folder last through a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class FolderLock:
    """Keeps a folder to one process; the lock ends with its holders, so there is no stale one to clean."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def handle(self) -> int:
        """The open file, to hand on to the keeper, which holds the folder until the last child has ended."""
        assert self._handle is not None  # noqa: S101  asked for only while held
        return self._handle

    def take(self, what: str, wait_s: float = 0) -> None:
        """Take the lock, or say who has it. `wait_s` is for a predecessor that died and whose children still end."""
        if self._handle is not None:
            return
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
                if _lives(holder) or time.monotonic() > deadline:
                    os.close(handle)
                    raise FolderInUseError(
                        f"{what} already runs on {self.path.parent}: process {holder or 'unknown'}; "
                        f"stop it first, or name another folder"
                    ) from None
                time.sleep(0.05)
                continue
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            self._handle = handle
            return

    def release(self) -> None:
        """Let the next one in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _lives(holder: str) -> bool:
    try:
        os.kill(int(holder), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return not is_zombie(int(holder))


def is_zombie(pid: int) -> bool:
    """Has it ended, and nobody has asked how?"""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] == ["Z"]
