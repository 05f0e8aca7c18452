"""The bridge behind `gatepost mcp`: standard input and output on one side, the MCP door on the other.

A bridge and no second server: tools, rights and replies are those of `/mcp`. A person may give it an oversight key beside
the author's; then the tools that decide use that one.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from gatepost_cli.connect import is_local
from gatepost_cli.settings import CliSettings

TIMEOUT_S = 150  # wait_for_email may take two minutes


class Bridge:
    """Two sessions at most: the author's, and a person's for what decides."""

    def __init__(self, author: Client, oversight: Client | None, mailbox: str | None) -> None:
        self._author, self._oversight, self._mailbox = author, oversight, mailbox
        self._persons: set[str] = set()

    async def list_tools(self, _: Any, __: Any) -> types.ListToolsResult:
        """The author's tools, and what the oversight key adds."""
        tools = list((await self._author.list_tools()).tools)
        if self._oversight is not None:
            known = {tool.name for tool in tools}
            more = [tool for tool in (await self._oversight.list_tools()).tools if tool.name not in known]
            self._persons = {"list_pending", *(tool.name for tool in more)}  # a decision binds to what its maker saw
            tools += more
        return types.ListToolsResult(tools=tools, ttl_ms=0, cache_scope="private")

    async def call_tool(self, _: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        """With the key that may."""
        args = dict(params.arguments or {})
        if self._oversight is not None and not self._persons:
            await self.list_tools(None, None)
        if self._mailbox and not args.keys() & {"mailbox_id", "mailbox", "email_id", "message_id", "thread_id"}:
            args["mailbox_id"] = self._mailbox
        chosen = self._oversight if self._oversight is not None and params.name in self._persons else self._author
        result = await chosen.call_tool(params.name, args)
        assert isinstance(result, types.CallToolResult)  # noqa: S101 (no tool of ours asks back)
        return result


async def serve(url: str, key: str, settings: CliSettings) -> None:
    """Until the program on the other side hangs up."""
    async with AsyncExitStack() as stack:
        author = await _session(stack, url, key)
        oversight = await _session(stack, url, settings.oversight_key) if settings.oversight_key else None
        bridge = Bridge(author, oversight, settings.mailbox_id)
        server: Server[Any] = Server(
            "gatepost", version="1", title="Gatepost", instructions=author.instructions,
            on_list_tools=bridge.list_tools, on_call_tool=bridge.call_tool,
        )  # fmt: skip
        read, write = await stack.enter_async_context(stdio_server())
        await server.run(read, write, server.create_initialization_options())


async def _session(stack: AsyncExitStack, url: str, key: str) -> Client:
    http = await stack.enter_async_context(
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S, trust_env=not is_local(url))
    )
    return await stack.enter_async_context(Client(streamable_http_client(f"{url.rstrip('/')}/mcp", http_client=http)))
