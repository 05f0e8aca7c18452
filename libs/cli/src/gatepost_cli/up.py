"""`gatepost up`: the whole of Gatepost on one machine, as separate processes, with a private NATS and Postgres."""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from gatepost_cli.bootstrap import Mailbox, bootstrap
from gatepost_cli.credentials import MODES
from gatepost_cli.owner import owner_store
from gatepost_cli.processes import SERVICES, Plan, service_environment
from gatepost_cli.ready import NAME, write_ready
from gatepost_cli.secrets_file import local_secrets
from gatepost_cli.settings import inherited_environment
from gatepost_embedded.child import Child, Step
from gatepost_embedded.errors import EmbeddedError
from gatepost_embedded.nats import Nats
from gatepost_embedded.ports import claim
from gatepost_embedded.postgres import Postgres
from gatepost_embedded.supervisor import Supervisor
from gatepost_runtime.keys import make_keys
from gatepost_runtime.streams import apply, nats_users
from gatepost_store import migrate as migrations

DEMO_ADDRESS = "support@demo.test"
PROVIDERS = ("scripted", "anthropic", "openai")


def up(
    data: Annotated[Path, typer.Option(help="Folder for everything this installation keeps.")] = Path("data"),
    http_port: Annotated[int, typer.Option(help="Port of the API; 0: a free one.")] = 8080,
    smtp_port: Annotated[int, typer.Option(help="Port on which mail comes in; 0: a free one.")] = 2525,
    relay: Annotated[
        str | None, typer.Option(help="HOST:PORT that takes outgoing mail; else the mail catcher.")
    ] = None,
    provider: Annotated[str, typer.Option(help="Who drafts: " + ", ".join(PROVIDERS) + ".")] = "scripted",
    mode: Annotated[str, typer.Option(help="Mode of the demo mailbox: " + ", ".join(MODES) + ".")] = "gated_send",
    mailbox: Annotated[list[str] | None, typer.Option(help="ADDRESS=MODE of a further mailbox; repeatable.")] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Where to write what programs need to know; else in --data.")
    ] = None,
) -> None:
    """Run everything here: six services, NATS, Postgres, a demo mailbox and a mail catcher. Ctrl-C stops all of it.

    Examples: gatepost up; gatepost up --http-port 0 --smtp-port 0 --mode monitored; gatepost up --relay 127.0.0.1:1025
    """
    mailboxes = [(DEMO_ADDRESS, _mode(mode)), *(_mailbox(text) for text in mailbox or ())]
    if provider not in PROVIDERS:
        raise typer.BadParameter(f"one of {', '.join(PROVIDERS)}", param_hint="--provider")
    try:
        run = _Run(data.absolute(), http_port, smtp_port, _relay(relay), provider, mailboxes, ready_file)
        code = asyncio.run(run.supervise())
    except EmbeddedError as error:
        typer.secho(f"Gatepost did not start: {error}", err=True, fg="red")
        raise typer.Exit(1) from None
    raise typer.Exit(code)


class _Run:
    """One run of the installation: which children it has, what is done on the way up, what it tells."""

    def __init__(
        self, data: Path, http_port: int, smtp_port: int, relay: tuple[str, int] | None, provider: str,
        mailboxes: list[tuple[str, str]], ready_file: Path | None,
    ) -> None:  # fmt: skip
        self.data, self.asked, self.made = data, mailboxes, list[Mailbox]()
        self.supervisor = Supervisor(data, on_change=self._write_ready)
        self.supervisor.take_folder()  # before a port is asked for: who holds them is then the other one on this folder
        self.ready_files = [data / NAME, *([ready_file.absolute()] if ready_file else [])]
        self.secrets = local_secrets(data)
        make_keys(data / "keys")
        passwords = self.secrets["passwords"]
        self.catcher = None if relay else (claim(0, "the catcher"), claim(0, "the catcher's page"))
        self.plan = Plan(
            data=data,
            host="127.0.0.1",
            http_port=claim(http_port, "the API"),
            smtp_port=claim(smtp_port, "SMTP"),
            inbound_port=claim(0, "posted mail"),
            health_ports={name: claim(0, name) for name in SERVICES},
            relay=relay or ("127.0.0.1", (self.catcher or (0, 0))[0]),
            provider=provider,
            passwords=passwords,
            nats=Nats(data / "nats", users_conf=nats_users(passwords)),
            postgres=Postgres(data / "postgres"),
            inherited={k: v for k, v in inherited_environment().items() if k.startswith("GATEPOST_")},
        )

    async def supervise(self) -> int:
        """Until Ctrl-C or SIGTERM; the exit code."""
        steps = [Step("schema", self._migrate), Step("streams", self._streams), Step("demo", self._bootstrap)]
        return await self.supervisor.run([*self._children(), *steps], ready=self._say)

    def _children(self) -> list[Child]:
        plan = self.plan
        children = [plan.nats.child(), plan.postgres.child()]
        if self.catcher:
            smtp, http = self.catcher
            line = [_program("gatepost-catcher"), "--smtp-port", str(smtp), "--http-port", str(http),
                    "--data", str(self.data / "catcher"), "--dkim-records", str(plan.dkim_records)]  # fmt: skip
            children.append(Child("catcher", line, rank=1, probe=_answers(f"http://127.0.0.1:{http}/")))
        for name in SERVICES:
            health = f"http://127.0.0.1:{plan.health_ports[name]}/readyz"
            children.append(
                Child(
                    name, [_program(f"gatepost-{name}")], env=_environment(plan, name), rank=2, probe=_answers(health)
                )
            )
        return children

    async def _migrate(self) -> None:
        roles = {f"gp_{name}": self.plan.passwords[name] for name in SERVICES}
        await migrations.migrate(self.plan.postgres.url(), passwords=roles)

    async def _streams(self) -> None:
        await apply(self.plan.nats_url("operator"))

    async def _bootstrap(self) -> None:
        async with owner_store(self.plan.postgres.url()) as store:
            self.made = await bootstrap(store, self.secrets["keys"], self.asked, oversight_email="operator@demo.test")

    def _write_ready(self, pids: dict[str, int]) -> None:
        """The file that programs beside us read; replaced whenever a process was started again."""
        plan, keys = self.plan, self.secrets["keys"]
        content: dict[str, Any] = {
            "http_url": plan.http_url,
            "smtp": {"host": plan.host, "port": plan.smtp_port},
            "inbound": {"url": plan.inbound_url, "secret": self.secrets["relays"]["local"]},
            "nats_url": plan.nats_url("operator"),
            "database_url": plan.postgres.url(),
            "catcher_url": f"http://127.0.0.1:{self.catcher[1]}" if self.catcher else None,
            "mailbox": {"id": self.made[0].id, "address": self.made[0].address},
            "mailboxes": [{"id": m.id, "address": m.address, "mode": m.mode} for m in self.made],
            "keys": {**keys, "admin": keys["operator"]},
            "pids": pids,
            "data": {"nats": str(plan.nats.folder), "postgres": str(plan.postgres.folder)},
            "health": {name: f"http://127.0.0.1:{port}" for name, port in plan.health_ports.items()},
        }
        for path in self.ready_files:
            write_ready(path, content)

    def _way_out(self) -> str:
        if self.catcher:
            return f"the catcher, http://127.0.0.1:{self.catcher[1]}"
        host, port = self.plan.relay
        return f"{host}:{port}"

    def _say(self) -> None:
        plan, keys = self.plan, self.secrets["keys"]
        lines = [
            "Gatepost is up.",
            f"  API        {plan.http_url}    (keys are in {self.ready_files[0]})",
            f"  SMTP in    {plan.host}:{plan.smtp_port}    mail for {', '.join(m.address for m in self.made)}",
            f"  mail out   {self._way_out()}",
            f"  logs       {self.data / 'logs'}",
            "Try it, in a second terminal:",
            "  make demo                        a real mail, drafted, held, approved, sent",
            "  .venv/bin/gatepost review        the queue",
            "  .venv/bin/gatepost events tail   what happens, as it happens",
            f"  curl -H 'Authorization: Bearer {keys['agent'][:12]}...' {plan.http_url}/check_inbox",
            "Ctrl-C stops everything; the data stays.",
        ]
        typer.echo("\n".join(lines))
        sys.stdout.flush()


def _environment(plan: Plan, name: str) -> Callable[[], dict[str, str]]:
    """Asked before every start, because the servers' ports are known only then."""
    return lambda: service_environment(plan, name)


def _program(name: str) -> str:
    """The entry point beside our own interpreter."""
    return str(Path(sys.executable).with_name(name))


def _answers(url: str) -> Callable[[], bool]:
    """Ask whether this page answers 200."""

    def probe() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 (an address of our own)
                return bool(reply.status == 200)
        except OSError:
            return False

    return probe


def _mode(text: str) -> str:
    if text not in MODES:
        raise typer.BadParameter(f"{text} is no mode; one of {', '.join(MODES)}")
    return text


def _mailbox(text: str) -> tuple[str, str]:
    address, _, mode = text.partition("=")
    if address.count("@") != 1:
        raise typer.BadParameter(f"{text}: write ADDRESS=MODE")
    return address.lower(), _mode(mode or "gated_send")


def _relay(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise typer.BadParameter("write HOST:PORT", param_hint="--relay")
    return host.strip("[]"), int(port)
