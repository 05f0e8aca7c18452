"""`gatepost-catcher`: an SMTP sink with a page, in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
from pathlib import Path

import uvicorn

from gatepost_embedded.catcher.box import Box
from gatepost_embedded.catcher.faults import Faults
from gatepost_embedded.catcher.http import application
from gatepost_embedded.catcher.records import Records
from gatepost_embedded.catcher.smtp import Conversation
from gatepost_embedded.catcher.view import Views

HOST = "127.0.0.1"


def main() -> None:
    """Read the arguments and run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="gatepost-catcher", description="Takes every mail, keeps it, shows it.")
    parser.add_argument("--smtp-port", type=int, default=0, help="where mail comes in; 0: a free port")
    parser.add_argument("--http-port", type=int, default=0, help="where it is shown; 0: a free port")
    parser.add_argument("--data", type=Path, required=True, help="folder for the mails")
    parser.add_argument("--dkim-records", default="", help="JSON file or URL with the public DKIM records")
    given = parser.parse_args()
    try:
        smtp, http = listen(given.smtp_port, "mail"), listen(given.http_port, "the page")
        asyncio.run(serve(Box(given.data / "mail"), Records(given.dkim_records), smtp, http))
    except OSError as error:
        sys.exit(f"gatepost-catcher: {error.strerror or error}")


def listen(port: int, what: str) -> socket.socket:
    """A socket on loopback, or a plain word."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
    except OSError as error:
        raise OSError(error.errno, f"cannot listen for {what} on {HOST}:{port}: {error.strerror}") from error
    made.listen(512)
    made.setblocking(False)
    return made


async def serve(box: Box, records: Records, smtp: socket.socket, http: socket.socket) -> None:
    """Both doors, until uvicorn was told to stop."""
    faults = Faults()
    app = application(box, Views(box, records), faults)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2, server_header=False
    )
    mail_server = await asyncio.get_running_loop().create_server(lambda: Conversation(box, faults), sock=smtp)
    ports = {"smtp_port": smtp.getsockname()[1], "http_port": http.getsockname()[1]}
    print(json.dumps(ports), flush=True)  # noqa: T201  whoever asked for free ports reads them here
    try:
        await uvicorn.Server(config).serve(sockets=[http])
    finally:
        mail_server.close()


if __name__ == "__main__":
    main()
