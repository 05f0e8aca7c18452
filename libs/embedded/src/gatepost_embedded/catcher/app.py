"""`gatepost-catcher`: an SMTP sink with a small page, for development and tests. Listens on loopback only."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import uvicorn

from gatepost_embedded.catcher.kept import Kept
from gatepost_embedded.catcher.smtp import Faults, listen
from gatepost_embedded.catcher.web import build


def main() -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="gatepost-catcher", description=__doc__)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder for the mails")
    parser.add_argument("--dkim-records", type=Path, help="JSON file: name of the record to its text")
    options = parser.parse_args()
    asyncio.run(_serve(options))
    return 0


async def _serve(options: argparse.Namespace) -> None:
    kept, faults = Kept(options.data, options.dkim_records), Faults()
    server = await listen(kept, faults, options.smtp_port)
    config = uvicorn.Config(
        build(kept, faults), host="127.0.0.1", port=options.http_port, log_level="warning", timeout_graceful_shutdown=2
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        server.close()
