"""A private Postfix that parks what it takes in its hold queue: own configuration, spool and port, ended by its pid."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

MAIN = """
compatibility_level = 3.6
queue_directory = {spool}
data_directory = {data}
mail_owner = postfix
setgid_group = postdrop
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.bench.test
mydestination =
relay_domains = demo.test
alias_maps =
mynetworks = 127.0.0.0/8
smtpd_client_restrictions = check_client_access static:HOLD
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
message_size_limit = 50000000
default_process_limit = 100
maillog_file = {log}
maillog_file_prefixes = {folder}
smtpd_tls_security_level = none
"""


class Postfix:
    """`start` says why it cannot run here, or None."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0

    def start(self) -> str | None:
        if shutil.which("postfix") is None:
            return "it is not installed"
        if os.geteuid() != 0:
            return "it must be started by root"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        etc, spool, data = (self.folder / name for name in ("etc", "spool", "data"))
        for path in (etc, spool, data):
            path.mkdir(parents=True)
        for path in (self.folder, *self.folder.parents):
            if path.stat().st_uid == 0 and path.name.startswith("gatepost-"):
                path.chmod(0o755)
        shutil.chown(data, "postfix", "postfix")
        values = {"spool": spool, "data": data, "log": self.folder / "log", "folder": self.folder}
        (etc / "main.cf").write_text(MAIN.format(**values))
        master = Path("/etc/postfix/master.cf")
        if not master.exists():
            master = Path("/usr/share/postfix/master.cf.dist")
        lines = [line for line in master.read_text().splitlines() if not line.startswith("smtp      inet")]
        unjailed = [
            re.sub(r"^(\S+\s+\S+\s+\S+\s+\S+\s+)[yn-](\s)", r"\1n\2", line) for line in lines
        ]  # the spool has no jail
        (etc / "master.cf").write_text("\n".join([*unjailed, f"127.0.0.1:{self.port} inet n - n - 100 smtpd"]) + "\n")
        done = subprocess.run(["postfix", "-c", str(etc), "start"], capture_output=True, text=True, check=False)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return None
        self.stop()
        return f"it did not start: {done.stderr.strip()[-200:]}"

    def stop(self) -> None:
        pid = self.folder / "spool" / "pid" / "master.pid"
        if pid.exists():
            os.kill(int(pid.read_text().strip()), signal.SIGTERM)
