"""The embedded broker: nats-server with its MQTT listener and JetStream, on free loopback ports.

Not for a network: it listens on 127.0.0.1 without a password. Its messages live in a folder
of the project's `.run/`; each demonstration gives it an empty one. With `Papers` its MQTT speaks
TLS only, and only to who shows a certificate of the same authority; a collector then reads by
JetStream, on client_port (nats-server has one MQTT listener).

    broker = Broker(supervisor, Path(".run/demo/broker"))
    broker.start()               # returns when MQTT accepts connections
    broker.mqtt_port
"""

import contextlib
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from host_tools.problems import MISSING, NETWORK, Problem
from host_tools.processes.supervisor import Child, Supervisor

_START_S = 10.0
_NEIGHBOURS = 20
_CONFIGURATION = """\
server_name: eclor
listen: "127.0.0.1:{client}"
jetstream {{ store_dir: "{store}" }}
mqtt {{ listen: "127.0.0.1:{mqtt}"{tls} }}
"""
_TLS = """
  tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{authority}", verify: true }}
"""


@dataclass(frozen=True)
class Papers:
    """Files in PEM: the broker's certificate, its key, and the authority of the gateways'."""

    certificate: Path
    key: Path
    authority: Path


def program(name: str) -> str:
    """Return the path of a program that came with a package of this environment.

    A Problem when it is neither beside this Python nor on the PATH.
    """
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise Problem(f"{name} is not installed", "run `make setup`", code=MISSING)
    return found


def free_port(first: int = 0) -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now: `first`, or one soon after it."""
    for number in range(first, first + _NEIGHBOURS) if first else ():
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", number))
            return number
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """One nats-server; it may be stopped and started again on the same ports and messages."""

    def __init__(
        self,
        supervisor: Supervisor,
        folder: Path,
        on_line: Callable[[str], None] | None = None,
        papers: Papers | None = None,
    ) -> None:
        self._tls = ""
        if papers:
            self._tls = _TLS.format(
                certificate=papers.certificate, key=papers.key, authority=papers.authority
            )
        self.mqtt_port = free_port()
        self.client_port = free_port()
        self._supervisor = supervisor
        self._folder = folder
        self._on_line = on_line
        self._child: Child | None = None

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.running

    def start(self) -> None:
        """Start it and wait until MQTT accepts connections; a Problem when it does not."""
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "nats.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                client=self.client_port,
                mqtt=self.mqtt_port,
                store=self._folder / "store",
                tls=self._tls,
            )
        )
        self._child = self._supervisor.spawn(
            "broker", [program("nats-server"), "-c", str(configuration)], on_line=self._on_line
        )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._child.running:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.mqtt_port), 0.2).close()
                return
            time.sleep(0.02)
        self.kill()
        raise Problem(
            f"the broker does not accept MQTT on port {self.mqtt_port}",
            f"see what it says: nats-server -c {configuration}",
            code=NETWORK,
        )

    def stop(self) -> None:
        """Stop it in order."""
        if self._child:
            self._child.stop()

    def kill(self) -> None:
        """End it with SIGKILL: what it had not made durable is lost, as in a crash."""
        if self._child:
            self._child.kill()
