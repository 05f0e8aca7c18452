"""Become another program that is told when its parent dies.

Run as `python -I -S pact.py PARENT_PID SIGNAL COMMAND...`. It asks the kernel for the signal and then turns into the command.
This happens here, and not in the parent before exec, because `unshare --user` forgets the request: it has to be made
inside the new namespace, by the process that becomes the server.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Make the promise, check that the parent did not die in between, and become the command."""
    parent, number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(0)
    try:
        os.execvp(command[0], command)  # noqa: S606  no shell is wanted
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
