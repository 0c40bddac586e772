"""A gateway's journal and uplink in a thread, over a real socket, in time that runs faster.

The journal and the session are the device's own (agent/); a power cut takes what its ground does
not hold. `ledger` lists what the gateway promised: number and CRC of every durable record.

    gateway = GatewayThread(("127.0.0.1", port), seed=1, key=bytes(32))
    gateway.start()
    gateway.append([100, 0, 870])            # payload sizes; durable when it returns
    gateway.power_cut()
"""

import json
import random
import socket
import threading
import time
from collections.abc import Sequence

from agent.journal import Journal
from agent.record import EVENT
from agent.session import CLOSE, OPEN
from agent.uplink import Uplink
from tests.fakes.memory_ground import MemoryGround

SPEED = 60
_MASK = (1 << 30) - 1


class GatewayThread(threading.Thread):
    """One gateway, named gw; time runs SPEED times faster than this computer's."""

    def __init__(
        self, address: tuple[str, int], seed: object, key: bytes = b"", room: int = 4 << 20
    ) -> None:
        """room: bytes of the journal."""
        super().__init__(daemon=True)
        self._room = room
        self._rng = random.Random(str(seed))
        self._address = address
        self._key = key
        self._halt = threading.Event()
        self._lock = threading.Lock()  # one step, one append, one power cut at a time
        self._sock: socket.socket | None = None
        self._boot = 0
        self._ground = MemoryGround()
        self.ledger: dict[int, int] = {}
        self.sessions = self.repeated = self.power_cuts = 0
        self._wake()

    def _wake(self) -> None:
        self._boot += 1
        self.journal = Journal(self._ground, lambda: 77, self._room)
        self.journal.start()
        identity = {"gateway": "gw", "board": "host", "version": "1", "runtime": "test"}
        settings = {"keepalive_s": 60, "key": self._key.hex()}
        self.uplink = Uplink(
            settings, self.journal, {**identity, "boot": self._boot}, self._rng.randrange
        )
        self.uplink.birth = self._birth

    def _birth(self) -> bytes:
        tree = {"gateway": "gw", "site": "s", "journal": self.journal.journal_id}
        tree |= {"first": self.journal.first, "next": self.journal.next}
        tree["schema"] = {"config": "0a0b0c0d", "gateway": "gw", "site": "s", "meters": []}
        return json.dumps(tree).encode()

    def append(self, sizes: Sequence[int]) -> None:
        """Append events of so many bytes of text and make them durable."""
        with self._lock:
            out = bytearray(4100)
            before = self.journal.next
            for size in sizes:
                event = {"at_ms": 0, "boot": self._boot, "uptime_ms": 1, "what": "x"}
                data = json.dumps({**event, "meter": "", "why": "y" * size}).encode()
                self.journal.append(EVENT, data, 0, len(data))
            self.journal.sync()
            for seq in range(before, self.journal.durable + 1):
                found, length = self.journal.read_from(seq, out)
                if found == seq:
                    self.ledger[seq] = int.from_bytes(out[length - 4 : length], "big")

    def power_cut(self) -> None:
        """Lose everything but what the flash holds, and start again."""
        with self._lock:
            self._count()
            self._drop(0, "power cut")
            self._ground = self._ground.cut()
            self.power_cuts += 1
            self._wake()

    @property
    def is_drained(self) -> bool:
        """Whether everything durable is acknowledged."""
        with self._lock:
            return bool(self.journal.acked == self.journal.durable)

    def stop(self) -> None:
        """End the thread."""
        self._halt.set()
        self.join(5)
        self._count()

    def run(self) -> None:
        """Obey the uplink until stop()."""
        while not self._halt.is_set():
            with self._lock:
                now = int(time.monotonic() * 1000 * SPEED) & _MASK
                self.uplink.step(now)
                try:
                    self._carry(now)
                except OSError as error:
                    self._drop(now, str(error))
                self.journal.housekeep(now, True)
            time.sleep(0.001 if self._sock else 0.004)
        self._drop(0, "stopped")

    def _carry(self, now: int) -> None:
        uplink = self.uplink
        if uplink.action == OPEN:
            self._sock = socket.create_connection(self._address, 1)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            uplink.opened(now)
        elif uplink.action == CLOSE:
            self._drop(now, "closed")
        if self._sock is None:
            return
        while length := uplink.output():
            self._sock.settimeout(1)
            self._sock.sendall(uplink.out[:length])
            uplink.sent(now)
        self._sock.settimeout(0.003)
        try:
            data = self._sock.recv(4096)
        except TimeoutError:
            return
        if not data:
            raise OSError("end of stream")
        uplink.received(data, 0, len(data), now)

    def _drop(self, now: int, why: str) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self.uplink.closed(now, why)

    def _count(self) -> None:
        self.sessions += self.uplink.counters["sessions"]
        self.repeated += self.uplink.counters["repeated"]
