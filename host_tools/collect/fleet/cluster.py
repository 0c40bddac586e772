"""Three nats-server nodes on loopback that hold each message twice over.

Not for a network: no password, 127.0.0.1 only (deploy/ has the files for several computers).

    with Supervisor() as supervisor:
        cluster = Cluster(supervisor, Path(".run/cluster"))
        cluster.start()
        cluster.mqtt, cluster.nats      # addresses of the nodes
        cluster.kill(1); cluster.revive(1)
"""

import contextlib
import json
import time
import urllib.request
from pathlib import Path

from host_tools.problems import NETWORK, Problem
from host_tools.processes.broker import free_port, program
from host_tools.processes.supervisor import Child, Supervisor

_START_S = 120.0
_CONFIGURATION = """\
server_name: n{index}
listen: "127.0.0.1:{nats}"
http: "127.0.0.1:{monitor}"
jetstream {{ store_dir: "{store}" }}
mqtt {{ listen: "127.0.0.1:{mqtt}" }}
cluster {{ name: eclor, listen: "127.0.0.1:{route}", routes: [{routes}] }}
"""


class Cluster:
    """The nodes; any one may be killed and come back with its files."""

    def __init__(self, supervisor: Supervisor, folder: Path, nodes: int = 3) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._ports = [
            {name: free_port() for name in ("nats", "mqtt", "route", "monitor")}
            for _ in range(nodes)
        ]
        self._children: list[Child | None] = [None] * nodes
        self.mqtt = [("127.0.0.1", ports["mqtt"]) for ports in self._ports]
        self.nats = [f"nats://127.0.0.1:{ports['nats']}" for ports in self._ports]

    def start(self) -> None:
        """Start every node and wait until the cluster has a leader; a Problem when it has none."""
        for index in range(len(self._ports)):
            self.revive(index)
        self.wait()

    def revive(self, index: int) -> None:
        """Start one node; returns at once."""
        folder = self._folder / f"n{index}"
        folder.mkdir(parents=True, exist_ok=True)
        routes = ", ".join(f'"nats://127.0.0.1:{ports["route"]}"' for ports in self._ports)
        path = folder / "nats.conf"
        path.write_text(
            _CONFIGURATION.format(
                index=index, store=folder / "store", routes=routes, **self._ports[index]
            )
        )
        command = [program("nats-server"), "-c", str(path)]
        self._children[index] = self._supervisor.spawn(f"n{index}", command)

    def kill(self, index: int) -> None:
        """End one node with SIGKILL."""
        child = self._children[index]
        if child is not None:
            child.kill()

    def wait(self) -> None:
        """Wait until every node answers and knows the leader of JetStream."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if all(self._is_ready(ports["monitor"]) for ports in self._ports):
                return
            time.sleep(0.05)
        raise Problem(
            "the cluster finds no leader", f"see its files in {self._folder}", code=NETWORK
        )

    def pids(self) -> list[int]:
        """Return the process ids of the nodes that run."""
        return [child.process.pid for child in self._children if child and child.running]

    @staticmethod
    def _is_ready(port: int) -> bool:
        with contextlib.suppress(OSError, ValueError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/jsz", timeout=1) as answer:
                found = json.load(answer)
            return bool(found.get("meta_cluster", {}).get("leader"))
        return False
