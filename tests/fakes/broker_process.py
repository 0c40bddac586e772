"""A real broker as a process of its own: nats-server or mosquitto, killed and started at will.

    with BrokerProcess("nats", folder) as broker:
        broker.kill(); broker.start()        # the same port, what it had made durable

mosquitto is a package of the system: `is_there("mosquitto")` says whether it is.
"""

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

from host_tools.processes.broker import free_port, program

KINDS = ("nats", "mosquitto")
_START_S = 10
_NATS = """\
server_name: n1
listen: "127.0.0.1:{client}"
jetstream {{ store_dir: "{folder}/store" }}
mqtt {{ listen: "127.0.0.1:{port}" }}
"""
_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
"""
_MOSQUITTO_TLS = """\
certfile {own}.pem
keyfile {own}.key.pem
cafile {authority}.pem
require_certificate true
user root
"""


def is_there(kind: str) -> bool:
    """Tell whether this computer has the broker."""
    return kind == "nats" or _mosquitto() is not None


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class BrokerProcess:
    """One broker of kind "nats" or "mosquitto"; its files in folder."""

    def __init__(self, kind: str, folder: Path, papers: tuple[Path, Path] | None = None) -> None:
        """papers: certificate and authority without their endings: mosquitto wants both sides'."""
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        text = _NATS if kind == "nats" else _MOSQUITTO
        path = folder / "broker.conf"
        text = text.format(client=free_port(), port=self.port, folder=folder)
        if papers:
            text += _MOSQUITTO_TLS.format(own=papers[0], authority=papers[1])
        path.write_text(text)
        name = program("nats-server") if kind == "nats" else _mosquitto()
        assert name, f"{kind} is not installed"
        self._command = [name, "-c", str(path)]

    def __enter__(self) -> "BrokerProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.02)
        raise AssertionError("the broker does not listen")

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process:
            self._process.kill()
            self._process.wait()
