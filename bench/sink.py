"""An SMTP sink that answers 250 to everything and notes when each mail was wholly there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time


class Sink:
    """Runs in a thread of its own; `arrived` maps In-Reply-To to the moments a mail with it was complete."""

    def __init__(self) -> None:
        self.arrived: dict[str, list[float]] = {}
        self.sample: list[bytes] = []
        self.loop = asyncio.new_event_loop()
        self.port = 0
        started = threading.Event()
        threading.Thread(target=self._run, args=(started,), daemon=True).start()
        started.wait(10)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)

        async def serve() -> None:
            server = await self.loop.create_server(lambda: _Session(self), "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            started.set()

        self.loop.run_until_complete(serve())
        self.loop.run_forever()

    def took(self, raw: bytes) -> None:
        now = time.monotonic()
        head = raw.split(b"\r\n\r\n", 1)[0]
        for line in head.replace(b"\r\n ", b" ").split(b"\r\n"):
            if line.lower().startswith(b"in-reply-to:"):
                self.arrived.setdefault(line.split(b":", 1)[1].strip().decode(), []).append(now)
        if len(self.sample) < 20:
            self.sample.append(raw)


class SinkProcess:
    """The same in a process of its own, so that its CPU is not counted with its caller's. Gives the port."""

    def __enter__(self) -> int:
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


class _Session(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self.sink, self.buffer, self.in_data = sink, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end = b"\r\n.\r\n" if self.in_data else b"\r\n"
            at = self.buffer.find(end)
            if at < 0:
                return
            part, self.buffer = self.buffer[:at], self.buffer[at + len(end) :]
            if self.in_data:
                self.in_data = False
                self.sink.took(part + b"\r\n")
                self.transport.write(b"250 2.0.0 kept\r\n")
                continue
            word = part[:4].upper()
            if word == b"EHLO":
                self.transport.write(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 52428800\r\n")
            elif word == b"DATA":
                self.in_data = True
                self.transport.write(b"354 go\r\n")
            elif word == b"QUIT":
                self.transport.write(b"221 bye\r\n")
                self.transport.close()
                return
            else:
                self.transport.write(b"250 ok\r\n")


if __name__ == "__main__":
    print(Sink().port, flush=True)
    sys.stdin.read()
