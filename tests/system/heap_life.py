"""One gateway for thousands of readings in virtual time; tests/heap.py runs it.

    import heap_life; heap_life.begin("link.json")

The firmware is a board's own: the bundle of a flash image, the composition root, the loop, TLS
over a real socket. In place of wires and clock: a Modbus meter in a few lines, a Linky's telegrams
from a file, and a clock that goes as far as the loop wants to sleep. Now and then the heap is
collected and its size printed, then micropython.mem_info() for the longest free stretch, in units
of the collector: 32 bytes on 64 bits.
"""

import builtins
import gc
import json
import sys
import time

from micropython import mem_info
from virtual_loop import VirtualLoop  # tests/fakes

_ANSWER_MS = 15  # what a meter thinks before it answers
_BYTE_BITS = 10


def say(what, number):
    """Print the live heap, what is free, and the collector's own words."""
    gc.collect()
    print("heap", what, number, gc.mem_alloc(), gc.mem_free())
    mem_info()


class Life(VirtualLoop):
    """The clock; it prints what the heap holds after each part of the readings, and ends."""

    def __init__(self, cycles, parts):
        super().__init__()
        self.app = None
        self._step = self._next = max(1, cycles // parts)
        self._end = cycles

    def look(self):
        """While the broker owes something, sleep truly: it lives in real time."""
        uplink = self.app.uplink
        if uplink.in_flight or uplink.state != "online":
            time.sleep_ms(1)
        elif self.app.meters[0].answers >= self._next and uplink._state is None:
            # Nothing is on its way: what lies in the heap for a moment only is not asked for.
            done = self.app.meters[0].answers
            self._next += self._step
            say("cycle", done)
            if done >= self._end:
                self._tell()
                sys.exit(0)

    def _tell(self):
        app = self.app
        for meter in app.meters:
            print("meter", meter.name, meter.answers, meter.bad_frames)
        print("journal", app.journal.next, app.journal.acked, app.uplink.counters["sessions"])


class Asked:
    """A Modbus meter: its registers are floats that change with each answer."""

    def __init__(self, clock):
        from drivers.checksums import crc16_modbus

        self._clock = clock
        self._crc = crc16_modbus
        self._out = bytearray(256)
        self._size = self._at = self._count = 0

    def configure(self, line):
        self._byte_us = _BYTE_BITS * 1000000 // line[0]

    def sending(self):
        return 0

    def write(self, data, count):
        out = self._out
        self._count += 1
        out[0] = data[0]
        out[1] = data[1]
        size = 2 * (data[4] << 8 | data[5])
        out[2] = size
        for i in range(3, 3 + size, 4):
            out[i] = 0x43  # 230.0 and a little more
            out[i + 1] = 0x66
            out[i + 2] = (self._count * 5 + i) & 0xFF
            out[i + 3] = 0
        crc = self._crc(out, 0, 3 + size)
        out[3 + size] = crc & 0xFF
        out[4 + size] = crc >> 8
        self._size = 5 + size
        self._at = self._clock.ms + _ANSWER_MS + (8 + 5 + size) * self._byte_us // 1000

    def readinto(self, buffer):
        if not self._size or self._clock.ms < self._at:
            return 0
        size = self._size
        self._size = 0
        for i in range(size):
            buffer[i] = self._out[i]
        return size


class Spoken:
    """A meter that speaks by itself: a file of telegrams, for ever, at the line's speed."""

    def __init__(self, clock, path):
        self._clock = clock
        self._file = open(path, "rb")
        self._at = clock.ms

    def configure(self, line):
        self._byte_us = _BYTE_BITS * 1000000 // line[0]

    def readinto(self, buffer):
        now_ms = self._clock.ms
        due = (now_ms - self._at) * 1000 // self._byte_us
        if due < 32:
            return 0
        count = self._file.readinto(buffer, min(due, len(buffer)))
        if not count:
            self._file.seek(0)
        self._at = now_ms if due > len(buffer) else self._at + count * self._byte_us // 1000
        return count


class Rooms:
    """What imports take, by the folder of the module; what they import in turn is its own.

    It collects before and after each, so the heap of such a run is tidier than a gateway's.
    """

    def __init__(self):
        self._nested = 0
        self._real = builtins.__import__
        builtins.__import__ = self._import

    def _import(self, name, *rest):
        if name in sys.modules or (len(rest) > 3 and rest[3]):
            return self._real(name, *rest)
        before, self._nested = self._nested, 0
        gc.collect()
        had = gc.mem_alloc()
        module = self._real(name, *rest)
        gc.collect()
        took = gc.mem_alloc() - had
        print("import", name, took - self._nested)
        self._nested = before + took
        return module


def begin(path):
    """Do what boot.py does, with the wires and the clock of above. path: JSON; see tests/heap.py.

    flash, blocks, reset_cause: of the image; telegrams: a file; cycles, parts: how long, and how
    often to print; rooms: print what each import takes.
    """
    with open(path) as file:
        link = json.load(file)
    clock = Life(link["cycles"], link["parts"])
    say("harness", 0)
    import boot
    import vfs
    from host_start import Platform

    platform = Platform(link)
    chosen, state, _ = boot.choose("/flash")
    if chosen:  # else the firmware is frozen into the runtime
        slot = boot.Slot("/flash/" + chosen)
        vfs.mount(slot, boot.MOUNT)
        sys.path.insert(0, boot.MOUNT)
        platform.rest = slot.rest
    gc.threshold(8192)  # as boot.py has it
    say("boot", 0)
    if link["rooms"]:
        Rooms()
    from firmware import hal, main

    __import__("firmware.build")  # by no name of this frame: main.py drops it
    say("import", 0)
    make, live = hal.make, main.live

    def make_hal(platform, board):
        made = make(platform, board)
        made.ticks_ms = clock.ticks_ms
        made.ticks_us = clock.ticks_us
        wires = {"uart1": lambda: Asked(clock), "uart2": lambda: Spoken(clock, link["telegrams"])}
        made.open_uart = lambda name: wires[name]()
        return made

    def run(app, made):
        clock.app = app
        from firmware import loop

        loop._PACE_MS["uart"] = 20  # these wires have buffers without end
        say("build", 0)
        print("kept", " ".join(sys.modules))
        if link["cycles"]:
            live(app, made)

    hal.make = make_hal
    main.live = run
    main.start(platform, chosen, state)
