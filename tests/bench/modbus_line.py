"""Run by bench_modbus.py on MicroPython: the firmware's own port task on a line that keeps time.

    micropython tests/bench/modbus_line.py MAP BAUD WINDOWS TRANSACTIONS

The UART here is exact: a byte can be read when its last bit has passed, sending() returns as
firmware/hal/uart.py's does, the meter begins its answer one silence later. Time is this process'
own: what it computes takes the time that it takes, what it would sleep is skipped, and what the
computer does for others meanwhile is not counted: a board has no others. Prints
`transactions readings carrying_us elapsed_us` for each window: carrying is bytes and the two
silences (3.5 characters, 1.75 ms above 19,200 baud) of every transaction.
"""

import asyncio
import sys
import time

from agent.bus import Bus
from agent.log import ERROR, Log
from agent.meter import Meter
from drivers import load_map
from drivers.checksums import crc16_modbus
from drivers.modbus import Modbus
from firmware import loop

_HOLD_US = 12000
_CHARACTER_BITS = 11  # 8E1, the standard's own


class Clock:
    """Time of the processor, and of the sleeps, which asyncio is made to skip.

    The processor's time has steps of a millisecond here; between them the computer's clock tells.
    """

    def __init__(self):
        self._skipped_us = 0
        self._own_us = 0
        self._real_us = time.ticks_us()
        core = sys.modules["asyncio.core"]
        core.ticks = self.ms
        core.IOQueue.wait_io_event = self._wait

    def us(self):
        """Return microseconds, without wrapping."""
        real_us = time.ticks_us()
        own_us = self._own_us + time.ticks_diff(real_us, self._real_us)
        self._real_us = real_us
        least_us = int(time.clock() * 1000 + 0.5) * 1000
        self._own_us = min(max(own_us, least_us), least_us + 999)
        return self._own_us + self._skipped_us

    def ms(self):
        """Return milliseconds, as a port's ticks."""
        return self.us() // 1000 & 0x3FFFFFFF

    def skip(self, us):
        """Let so much pass, when it is positive."""
        self._skipped_us += max(us, 0)

    def _wait(self, ms):
        self.skip(1000 * ms)


class Uart:
    """A line at one rate with meters that have every register."""

    def __init__(self, baud, window, clock):
        self._clock = clock
        self.marks = []  # (ticks, carrying, readings) at the first request of each window
        self.readings = 0
        self._window = window
        self.byte_ns = _CHARACTER_BITS * 1_000_000_000 // baud
        self.silence_us = 1750 if baud > 19200 else 38_500_000 // baud
        self.transactions = 0
        self.carrying_us = 0
        self._answer = bytearray(300)
        self._count = self._read = 0
        self._begins_us = self._end_us = 0

    def configure(self, line):
        """Nothing: the line has one rate."""

    def write(self, data, count):
        """Begin to send; the meter's answer is on its way when the last stop bit has left."""
        now_us = self._clock.us()
        if self.transactions % self._window == 0:
            self.marks.append((now_us, self.carrying_us, self.readings))
        self._end_us = now_us + count * self.byte_ns // 1000
        registers = (data[4] << 8) | data[5]
        size = 2 * registers
        answer = self._answer
        answer[0], answer[1], answer[2] = data[0], data[1], size
        crc = crc16_modbus(answer, 0, 3 + size)
        answer[3 + size], answer[4 + size] = crc & 0xFF, crc >> 8
        self._count, self._read = size + 5, 0
        self._begins_us = self._end_us + self.silence_us
        self.transactions += 1
        self.carrying_us += (count + self._count) * self.byte_ns // 1000 + 2 * self.silence_us

    def sending(self):
        """Return us until it is worth asking again; wait for the last 12 ms."""
        left_us = self._end_us - self._clock.us()
        if left_us > _HOLD_US:
            return left_us - _HOLD_US
        self._clock.skip(left_us)
        return 0

    def readinto(self, buffer):
        """Give the bytes whose time on the line is over."""
        passed = (self._clock.us() - self._begins_us) * 1000 // self.byte_ns
        count = min(max(passed, 0), self._count) - self._read
        for i in range(count):
            buffer[i] = self._answer[self._read + i]
        self._read += count
        return count


class Hal:
    """What the port's task needs of a board."""

    def __init__(self, uart, clock):
        self._uart = uart
        self.ticks_ms = clock.ms
        self._clock = clock

    def open_uart(self, name):
        """The one line."""
        return self._uart

    def ticks_us(self):
        """The clock in microseconds."""
        return self._clock.us() & 0x3FFFFFFF


def main(name, baud, windows, transactions):
    """Poll two meters in turn, back to back; print a line for each window of transactions."""
    table = load_map(name)
    meters = []
    for unit in (1, 2):
        options = {"unit": unit, "wait_ms": 0, "line": (baud, 8, "E", 1)}
        meters.append(Meter(unit - 1, {"name": "m", "retries": 0}, Modbus(table, options)))
    clock = Clock()
    uart = Uart(baud, transactions, clock)
    hal = Hal(uart, clock)
    port = {
        "name": "p",
        "kind": "uart",
        "uart": "u",
        "baud": baud,
        "bits": 8,
        "parity": "E",
        "stop": 1,
    }

    def on_reading(meter, reading):
        uart.readings += 1
        bus.ask(meters[1 - meter.index], hal.ticks_ms())

    bus = Bus(port, meters, on_reading, lambda m: None, Log(level=ERROR))

    async def timed():
        task = asyncio.create_task(loop._port(bus, port, None, hal))
        await asyncio.sleep_ms(20)
        bus.ask(meters[0], hal.ticks_ms())
        while len(uart.marks) <= windows:
            await asyncio.sleep_ms(20)
        task.cancel()
        for i in range(windows):
            begun, carried, _ = uart.marks[i]
            ended, carrying, _ = uart.marks[i + 1]
            read = uart.marks[i + 1][2] - uart.marks[i][2]
            print(transactions, read, carrying - carried, ended - begun)

    asyncio.run(timed())


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
