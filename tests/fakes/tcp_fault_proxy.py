"""A TCP proxy that fails on purpose: cuts, black holes, delays, flipped bits.

    with TCPFaultProxy(("127.0.0.1", 1883)) as proxy:
        gateway.connect(*proxy.address)
        proxy.cut()                  # every connection is reset, new ones are refused
        proxy.mend()
        proxy.cut_after("up", 1000)  # the next connections die after exactly 1000 bytes upwards
        proxy.black_hole("down")     # bytes of the server vanish, nothing is closed
        proxy.delay_s = 0.1          # each way, without limiting the rate
        proxy.flip("down", 17)       # invert the bit 17 of what comes next

"up" is towards the server. CPython only, one daemon thread; all methods are thread-safe.
"""

import contextlib
import heapq
import select
import socket
import struct
import threading
import time

_CHUNK = 65536
_TICK_S = 0.02


class _Pair:
    def __init__(self, client, server):
        self.sockets = {"up": client, "down": server}  # where the bytes of a direction come from
        self.targets = {"up": server, "down": client}
        self.passed = {"up": 0, "down": 0}


class TCPFaultProxy:
    """Forwards 127.0.0.1:port (0: a free one) to target; counts what passed."""

    def __init__(self, target, port=0):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.setblocking(False)
        self.address = self._listener.getsockname()
        self.delay_s = 0.0
        self.refuse_server = False  # accept, then close at once: TCP without a CONNACK
        self.passed = {"up": 0, "down": 0}
        self.connections = 0
        self._lock = threading.RLock()
        self._pairs = []
        self._late = []  # heap of (due, number, target socket, bytes)
        self._number = 0
        self._is_cut = False
        self._cut_after = {}
        self._holes = set()
        self._flips: dict[str, list[int]] = {"up": [], "down": []}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stop the thread and close everything."""
        self._stop.set()
        self._thread.join(5)
        with self._lock:
            self._drop_all()
            self._listener.close()

    def cut(self):
        """Reset every connection, and every new one until mend()."""
        with self._lock:
            self._is_cut = True
            self._drop_all()

    def mend(self):
        """End every fault; connections that stand go on."""
        with self._lock:
            self._is_cut = False
            self.delay_s = 0.0
            self.refuse_server = False
            self._cut_after.clear()
            self._holes.clear()
            self._flips = {"up": [], "down": []}

    def cut_after(self, direction, count):
        """Reset the next connection that has passed exactly count bytes in that direction."""
        with self._lock:
            self._cut_after[direction] = count

    def black_hole(self, *directions):
        """Swallow the bytes of these directions; nothing is closed (a half-open link)."""
        with self._lock:
            self._holes.update(directions)

    def flip(self, direction, bit):
        """Invert one bit, counted from the next byte of that direction on."""
        with self._lock:
            self._flips[direction].append(bit)

    def _run(self):
        while not self._stop.is_set():
            with self._lock:
                readers: dict = {self._listener: ()}
                for pair in self._pairs:
                    for direction, source in pair.sockets.items():
                        readers[source] = (pair, direction)
            try:
                ready, _, _ = select.select(list(readers), [], [], self._patience())
            except (OSError, ValueError):
                continue  # cut() closed one of them meanwhile: look again
            with self._lock:
                for source in ready:
                    if source is self._listener:
                        self._accept()
                    elif readers[source][0] in self._pairs:
                        self._forward(*readers[source])
                self._deliver_late()

    def _patience(self):
        if not self._late:
            return _TICK_S
        return min(_TICK_S, max(0.0, self._late[0][0] - time.monotonic()))

    def _accept(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        self.connections += 1
        if self._is_cut or self.refuse_server:
            if self._is_cut:
                _reset(client)
            client.close()
            return
        try:
            server = socket.create_connection(self._target, timeout=2)
        except OSError:
            _reset(client)
            client.close()
            return
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            side.setblocking(True)
            side.settimeout(2)
        self._pairs.append(_Pair(client, server))

    def _forward(self, pair, direction):
        try:
            data = pair.sockets[direction].recv(_CHUNK)
        except OSError:
            data = b""
        if not data:
            self._drop(pair, hard=False)
            return
        data = self._damage(direction, data)
        limit = self._cut_after.get(direction)
        is_last = limit is not None and pair.passed[direction] + len(data) >= limit
        if is_last:
            data = data[: limit - pair.passed[direction]]
        if direction not in self._holes:
            pair.passed[direction] += len(data)
            self.passed[direction] += len(data)
            self._send(pair, direction, data)
        if is_last:
            del self._cut_after[direction]
            self._drop(pair, hard=True)

    def _damage(self, direction, data):
        flips = self._flips[direction]
        if not flips:
            return data
        damaged = bytearray(data)
        later = []
        for bit in flips:
            if bit < 8 * len(damaged):
                damaged[bit // 8] ^= 0x80 >> bit % 8
            else:
                later.append(bit - 8 * len(damaged))
        self._flips[direction] = later
        return bytes(damaged)

    def _send(self, pair, direction, data):
        if self.delay_s or self._late:
            self._number += 1
            due = time.monotonic() + self.delay_s
            heapq.heappush(self._late, (due, self._number, pair, direction, data))
            return
        self._write(pair, direction, data)

    def _deliver_late(self):
        while self._late and self._late[0][0] <= time.monotonic():
            _, _, pair, direction, data = heapq.heappop(self._late)
            if pair in self._pairs:
                self._write(pair, direction, data)

    def _write(self, pair, direction, data):
        try:
            pair.targets[direction].sendall(data)
        except OSError:
            self._drop(pair, hard=False)

    def _drop_all(self):
        for pair in list(self._pairs):
            self._drop(pair, hard=True)

    def _drop(self, pair, hard):
        if pair in self._pairs:
            self._pairs.remove(pair)
        for side in pair.sockets.values():
            if hard:
                _reset(side)
            side.close()


def _reset(side):
    """Make close() send a reset rather than an orderly end."""
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
