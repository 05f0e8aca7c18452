"""`python -m proofs`: proves the tables and prints what was proved; the exit code is 1 where something broke."""

from __future__ import annotations

import sys

from proofs.report import main

if __name__ == "__main__":
    sys.exit(main())
