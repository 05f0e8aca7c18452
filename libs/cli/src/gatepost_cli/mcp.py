"""`gatepost mcp`: the MCP door on standard input and output, for programs that start their servers themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gatepost_cli.connect import where
from gatepost_cli.settings import CliSettings


def mcp(data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None) -> None:
    """Serve MCP on standard input and output.

    Keys: GATEPOST_API_KEY, and GATEPOST_OVERSIGHT_KEY where a person wants decisions made through it.

    Example: GATEPOST_URL=https://gate.example.com GATEPOST_API_KEY=gp_live_... gatepost mcp
    """
    url, key = where("agent", data)
    from gatepost_cli.mcp_bridge import serve

    asyncio.run(serve(url, key, CliSettings()))
