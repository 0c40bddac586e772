"""A serial line between a meter and a gateway: two pseudo-terminals and the time bytes take.

A pseudo-terminal moves bytes at once and ignores baud rate and parity. A `Line` holds the
masters of two of them, opens one slave to the meter and one to the gateway, and hands each byte
over when its last bit would have left the wire: 10 or 11 bits a byte at the line's rate. What a
wrong rate or parity would make of the bytes, it makes of them; on command it garbles them, as a
motor beside the cable does. A tap sees every piece that passes, as sent and as it arrived.

Not simulated: collisions, echo, reflections; the gap inside a delivered piece (2 ms at most).

    line = Line("rs485-1", LineSettings(9600, 8, "N", 1), tap)
    line.start(loop)             # an asyncio loop
    open(line.meter_path), open(line.gateway_path)
    line.garble(seconds=3)
"""

import asyncio
import contextlib
import os
import random
import select
import termios
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass

_TICK_S = 0.002  # bytes are handed over at this pace, as a UART with a small FIFO would
_READ_BYTES = 4096
_GARBLED = 0.06  # share of bytes hit while the line is garbled
_SPEEDS = {
    getattr(termios, f"B{baud}"): baud
    for baud in (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
}


@dataclass(frozen=True)
class LineSettings:
    """How bytes look on a line: baud rate, data bits, parity ("N", "E", "O"), stop bits."""

    baud: int
    bits: int
    parity: str
    stop: int

    @property
    def byte_s(self) -> float:
        """Seconds one byte takes, with its start, parity and stop bits."""
        return (1 + self.bits + (self.parity != "N") + self.stop) / self.baud

    def __str__(self) -> str:
        """Return it as technicians write it: 9600 8N1."""
        return f"{self.baud} {self.bits}{self.parity}{self.stop}"


@dataclass(frozen=True)
class Piece:
    """Some bytes that passed: `arrived` is None when nobody was there to hear them."""

    from_meter: bool
    sent: bytes
    arrived: bytes | None
    at_ms: int  # wall time at which the last of them had passed, ms since 1970 UTC

    @property
    def intact(self) -> bool:
        """Whether the bytes crossed the wire undamaged, heard or not."""
        return self.arrived is None or self.arrived == self.sent


def parity_bit(byte: int, parity: str) -> int:
    """Return the parity bit of a byte's 7 low bits: 0 or 1."""
    odd = (byte & 0x7F).bit_count() & 1
    return odd if parity == "E" else 1 - odd


def misheard(data: bytes, sent: LineSettings, heard: LineSettings, chance: random.Random) -> bytes:
    """Return what a receiver with other settings makes of data.

    7 bits with parity heard as 8 bits without: the parity bit becomes bit 7, exactly. Another
    parity: bytes fail their check and a UART drops them. Another rate: noise, as much of it
    as the two rates' ratio gives.
    """
    if sent.baud != heard.baud:
        count = max(1, len(data) * heard.baud // sent.baud)
        return bytes(chance.randrange(256) for _ in range(min(count, 4 * len(data))))
    if (sent.bits, sent.parity) == (heard.bits, heard.parity):
        return data
    if sent.bits == 7 and sent.parity != "N" and heard.bits == 8 and heard.parity == "N":
        return bytes(b & 0x7F | parity_bit(b, sent.parity) << 7 for b in data)
    return bytes(b for b in data if chance.random() < 0.5)


class _Wire:
    """One direction: bytes wait here until their time on the wire is over."""

    def __init__(self) -> None:
        self.waiting = bytearray()
        self.next_s = 0.0  # when the first waiting byte will have passed

    def put(self, data: bytes, now_s: float, byte_s: float) -> None:
        if not self.waiting:
            self.next_s = max(now_s, self.next_s) + byte_s
        self.waiting += data

    def take(self, now_s: float, byte_s: float) -> bytes:
        """Return the bytes whose time is over."""
        count = min(len(self.waiting), int((now_s - self.next_s) / byte_s) + 1)
        if not self.waiting or count <= 0:
            return b""
        self.next_s += count * byte_s
        data = bytes(self.waiting[:count])
        del self.waiting[:count]
        if not self.waiting:
            self.next_s -= byte_s  # when the last byte ended: the next may follow at once
        return data


class Line:
    """One serial line; see the module. Use it from its loop's thread but for garble()."""

    def __init__(
        self,
        name: str,
        settings: LineSettings,
        tap: Callable[[Piece], None] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self.name = name
        self.settings = settings
        self.gateway_settings = settings  # what the gateway was configured to hear
        self.gateway_on = True  # False: the gateway has no power; bytes to it are gone
        self.tap = tap
        self._chance = random.Random(f"{seed} {name}")
        self._garbled_until_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pump: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()
        self._masters: list[int] = []
        self._slaves: list[int] = []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._masters.append(master)
            self._slaves.append(slave)  # held: a master without any slave only gives errors
        self._meter, self._gateway = self._masters
        self._set_speed(termios.B134)  # nobody uses it: the gateway has not said its own yet
        self.meter_path, self.gateway_path = (os.ttyname(slave) for slave in self._slaves)
        self._to_gateway = _Wire()
        self._to_meter = _Wire()

    def _set_speed(self, code: int) -> None:
        attributes = termios.tcgetattr(self._slaves[1])
        attributes[4] = attributes[5] = code
        termios.tcsetattr(self._slaves[1], termios.TCSANOW, attributes)

    @property
    def is_configured(self) -> bool:
        """Whether the gateway has opened its end and set its speed."""
        return bool(termios.tcgetattr(self._slaves[1])[4] != termios.B134)

    def _heard(self) -> LineSettings:
        """Return what the gateway listens with now: it may have changed its rate."""
        speed = termios.tcgetattr(self._slaves[1])[4]
        configured = self.gateway_settings
        baud = _SPEEDS.get(speed, configured.baud)
        return LineSettings(baud, configured.bits, configured.parity, configured.stop)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to move bytes; call it in the loop's thread."""
        self._loop = loop
        loop.add_reader(self._meter, self._read, self._meter, self._to_gateway)
        loop.add_reader(self._gateway, self._read, self._gateway, self._to_meter)
        self._pump = loop.create_task(self._run(), name=f"line {self.name}")

    def garble(self, seconds: float) -> None:
        """Damage bytes both ways from now on for so long."""
        self._garbled_until_s = time.monotonic() + seconds

    @property
    def garbled(self) -> bool:
        """Whether the line is being garbled."""
        return time.monotonic() < self._garbled_until_s

    def set_power(self, on: bool) -> None:
        """Tell the line whether the gateway has power; what it had not read goes with it."""
        self.gateway_on = on
        if not on:
            termios.tcflush(self._slaves[1], termios.TCIFLUSH)
            termios.tcflush(self._slaves[1], termios.TCOFLUSH)
            self._to_meter.waiting.clear()

    def _read(self, master: int, wire: _Wire) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(master, _READ_BYTES)
            wire.put(data, time.monotonic(), self.settings.byte_s)
            self._awake.set()

    async def _run(self) -> None:
        while True:
            if not (self._to_gateway.waiting or self._to_meter.waiting):
                self._awake.clear()
                await self._awake.wait()
            now_s = time.monotonic()
            for wire, master in (
                (self._to_gateway, self._gateway),
                (self._to_meter, self._meter),
            ):
                data = wire.take(now_s, self.settings.byte_s)
                if data:
                    self._pass(data, master)
            await asyncio.sleep(_TICK_S)

    def _pass(self, data: bytes, master: int) -> None:
        from_meter = master == self._gateway
        heard, sent = self._heard(), self.settings
        if not from_meter:
            heard, sent = sent, heard
        arrived: bytes | None = misheard(data, sent, heard, self._chance)
        if self.garbled:
            arrived = self._damage(arrived or b"")
        if from_meter and not self.gateway_on:
            arrived = None
        if arrived:
            with contextlib.suppress(BlockingIOError):  # full: lost, as in a UART's own buffer
                os.write(master, arrived)
        if self.tap:
            self.tap(Piece(from_meter, data, arrived, time.time_ns() // 1_000_000))

    def _damage(self, data: bytes) -> bytes:
        damaged = bytearray()
        for byte in data:
            fate = self._chance.random() / _GARBLED
            if fate < 0.5:
                damaged.append(byte ^ 1 << self._chance.randrange(8))
            elif fate < 0.8:
                continue  # a lost start bit
            elif fate < 1.0:
                damaged += bytes((byte, self._chance.randrange(256)))
            else:
                damaged.append(byte)
        return bytes(damaged)

    def idle(self) -> bool:
        """Whether nothing is on the wire nor waits for it."""
        waiting = select.select(self._masters, [], [], 0)[0]
        return not (waiting or self._to_gateway.waiting or self._to_meter.waiting)

    def close(self) -> None:
        """Stop and close both terminals; call it in the loop's thread."""
        if self._loop:
            self._loop.remove_reader(self._meter)
            self._loop.remove_reader(self._gateway)
        if self._pump:
            self._pump.cancel()
        for descriptor in self._masters + self._slaves:
            os.close(descriptor)
        self._masters, self._slaves = [], []
