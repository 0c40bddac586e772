"""This computer as a board, for MicroPython's unix port (boards/host.py).

A UART is a pseudo-terminal in raw mode with VMIN = VTIME = 0: a read gives what is there.
"""

import gc
import os
import sys
import termios
import time

_MASK = (1 << 30) - 1
_LINUX_SPEEDS = {
    300: 7,
    600: 8,
    1200: 9,
    2400: 11,
    4800: 12,
    9600: 13,
    19200: 14,
    38400: 15,
    57600: 4097,
    115200: 4098,
}


class _Uart:
    def __init__(self, path):
        self._file = open(path, "r+b", 0)
        number = self._file.fileno()
        termios.setraw(number)
        settings = termios.tcgetattr(number)
        settings[6][5] = settings[6][6] = 0  # VTIME, VMIN
        termios.tcsetattr(number, termios.TCSANOW, settings)
        stale = bytearray(256)
        while self._file.readinto(stale):  # what came while the power was off
            pass

    def configure(self, line):
        """Tell the simulated line behind the pseudo-terminal the speed; it knows the rest."""
        number = self._file.fileno()
        settings = termios.tcgetattr(number)
        # Linux numbers the speeds, others name them by themselves.
        code = _LINUX_SPEEDS[line[0]] if termios.B9600 == 13 else line[0]
        settings[4] = settings[5] = code
        termios.tcsetattr(number, termios.TCSANOW, settings)

    def write(self, data, count):
        """Write data[0:count] whole."""
        self._file.write(memoryview(data)[:count])

    def sending(self):
        """Nothing is ever under way: the simulated line behind it paces the bytes."""
        return 0

    def readinto(self, buffer):
        """Read what is there; return the count, 0 when nothing."""
        return self._file.readinto(buffer) or 0


class _Pins:
    """Simulated inputs: a terminal gives 0x40 | place << 1 | level, now and again."""

    def __init__(self, path, count, ticks_ms):
        from firmware.hal.edges import Edges

        self._uart = _Uart(path)
        self._edges = Edges(count)
        self._ticks_ms = ticks_ms
        self._levels = bytearray(32)
        self._uart.configure((115200, 8, "N", 1))  # says that somebody listens
        self.configure = self._edges.configure
        self.write = self._edges.write
        self.sending = self._edges.sending

    def readinto(self, buffer):
        """Read what the inputs did as their edges; return the count of bytes."""
        now_ms = self._ticks_ms()
        for i in range(self._uart.readinto(self._levels)):
            if self._levels[i] & 0xC0 == 0x40:
                self._edges.note(self._levels[i] >> 1 & 0x1F, self._levels[i] & 1, now_ms)
        self._edges.settle(now_ms)
        return self._edges.readinto(buffer)


class _Nor:
    """A file that behaves as NOR flash does: an erase sets bits, a program clears them."""

    def __init__(self, path, blocks=64, size=4096):
        try:
            self._file = open(path, "r+b", 0)
        except OSError:
            with open(path, "wb") as file:
                for _ in range(blocks):
                    file.write(b"\xff" * size)
            self._file = open(path, "r+b", 0)
        self._blocks = blocks
        self._size = size

    def readblocks(self, block, buffer, offset):
        self._file.seek(block * self._size + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset):
        was = bytearray(len(buffer))
        self.readblocks(block, was, offset)
        for i in range(len(was)):
            was[i] &= buffer[i]
        self._file.seek(block * self._size + offset)
        self._file.write(was)

    def ioctl(self, operation, argument):
        if operation == 6:
            self._file.seek(argument * self._size)
            self._file.write(b"\xff" * self._size)
        return {4: self._blocks, 5: self._size}.get(operation, 0)


class Hal:
    """The porting contract of firmware/hal/__init__.py on this computer."""

    root = "/flash"
    start_ms = 0  # not told; its clock is always set
    drift_ppm = 40
    longest_sleep_ms = 432000000
    interfaces = ()  # the host's network is there

    def __init__(self, platform, board):
        """platform: of host_start.py, its link made by the supervisor."""
        self._uarts = platform.link["uarts"]
        self._journal = platform.link["flash"] + ".journal"
        self.id = platform.link.get("mac", "")
        self.cause = platform.link["reset_cause"]
        self.remount = platform.remount
        self.reset = platform.reset
        self.sleep = platform.sleep
        self._platform = platform
        name, version = sys.implementation[0], sys.implementation[1]
        self.runtime = "%s %s on %s" % (
            name,
            ".".join([str(v) for v in version[:3]]) + ("-" + version[3] if version[3:] else ""),
            sys.platform,
        )

    def ticks_ms(self):
        """Milliseconds, wrapping."""
        return time.ticks_ms() & _MASK

    def ticks_us(self):
        """Microseconds, wrapping."""
        return time.ticks_us() & _MASK

    def wall_ms(self):
        """This computer's clock."""
        return time.time_ns() // 1000000 + self._platform.link.get("ahead_ms", 0)

    def set_wall(self, ms):
        """This computer's clock is its own."""

    def random(self, n):
        """Below n, from the system's entropy."""
        return int.from_bytes(os.urandom(8), "big") % n

    def heap(self):
        """Bytes used and free, after a collection: the live heap."""
        gc.collect()
        return gc.mem_alloc(), gc.mem_free()

    def open_uart(self, name):
        """Open a terminal. Raises OSError when it is absent."""
        if name not in self._uarts:
            raise OSError(19)
        return _Uart(self._uarts[name])

    def open_pins(self, names):
        """Open the inputs, which share one terminal. Raises OSError when it is absent."""
        if names[0] not in self._uarts:
            raise OSError(19)
        return _Pins(self._uarts[names[0]], len(names), self.ticks_ms)

    def open_journal(self):
        """Open the file beside the flash image, made when it is absent."""
        return _Nor(self._journal)

    def open_interface(self, name):
        """There is none: the host's network is there. Raises OSError."""
        raise OSError(19)

    def start_watchdog(self, ms):
        """Start it; return what feeds it: host_tools/sim/board.py listens and bites."""
        self._platform.arm()
        return self._platform.feed

    def name_servers(self):
        """What this computer asks: RFC 1035 servers of resolv.conf, IPv4 only."""
        try:
            with open("/etc/resolv.conf") as file:
                words = [line.split() for line in file]
        except OSError:
            return []
        return [w[1] for w in words if len(w) > 1 and w[0] == "nameserver" and ":" not in w[1]]
