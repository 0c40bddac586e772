"""Run by bench_modbus.py on MicroPython: one full read over a pseudo-terminal that keeps time.

    micropython tests/bench/modbus_rivals.py PATH BAUD eclor MAP
    micropython tests/bench/modbus_rivals.py PATH BAUD umodbus < reads.json

`umodbus` is the package micropython-modbus, which bench_modbus.py has put on the path; its UART is
the one below, as ours is. Reads are [[function, address, count], ...]. Prints microseconds and
requests.
"""

import json
import select
import sys
import termios
import time


class UART:
    """What machine.UART is on a board, on a terminal: write() returns at once, flush() waits."""

    path = ""

    def __init__(self, number, baudrate=9600, bits=8, parity=None, stop=1, tx=None, rx=None):
        self._file = open(self.path, "r+b", buffering=0)
        settings = termios.tcgetattr(self._file.fileno())
        settings[6][5] = settings[6][6] = 0  # VTIME, VMIN: a read gives what is there
        termios.tcsetattr(self._file.fileno(), termios.TCSANOW, settings)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)
        self._byte_us = (1 + bits + (parity is not None) + stop) * 1_000_000 // baudrate
        self._end_us = time.ticks_us()

    def any(self):
        """Return whether something can be read."""
        return bool(self._poll.poll(0))

    def read(self):
        """Return what has come, None when nothing."""
        return self._file.read(256) or None

    def write(self, data):
        """Begin to send."""
        self._end_us = time.ticks_add(time.ticks_us(), len(data) * self._byte_us)
        return self._file.write(data)

    def flush(self):
        """Wait until the last bit has left."""
        while time.ticks_diff(self._end_us, time.ticks_us()) > 0:
            pass


class Machine:
    """Stands in for the module `machine`."""

    UART = UART
    Pin = None


def umodbus(baud, reads):
    """Read with micropython-modbus as its documentation does."""
    sys.modules["machine"] = Machine
    from umodbus.serial import Serial

    host = Serial(1, baudrate=baud, pins=(0, 1))
    begun_us = time.ticks_us()
    for function, address, count in reads:
        read = host.read_input_registers if function == 4 else host.read_holding_registers
        values = read(1, address, count, False)
        if len(values) != count:
            raise ValueError("%d registers of %d" % (len(values), count))
    return time.ticks_diff(time.ticks_us(), begun_us)


def eclor(baud, name):
    """Read with the gateway's bus and driver."""
    from agent.bus import Bus
    from agent.log import ERROR, Log
    from agent.meter import Meter
    from drivers import load_map
    from drivers.modbus import Modbus
    from drivers.reading import GOOD

    uart = UART(1, baudrate=baud)
    line = {"name": "p", "baud": baud, "bits": 8, "parity": "N", "stop": 1}
    options = {"unit": 1, "wait_ms": 0, "line": (baud, 8, "N", 1)}
    meter = Meter(0, {"name": "m", "retries": 2}, Modbus(load_map(name), options))
    good = [0]

    def on_reading(meter, reading):
        good[0] = sum([quality == GOOD for quality in reading.quality])

    bus = Bus(line, [meter], on_reading, lambda m: None, Log(level=ERROR))
    bus.opened(time.ticks_ms() & 0x3FFFFFFF)
    if meter.driver.model.models:
        _turn(bus, meter, uart)  # the walk to the model is made once, at the start
    begun_us = time.ticks_us()
    count = _turn(bus, meter, uart)
    took_us = time.ticks_diff(time.ticks_us(), begun_us)
    if good[0] != len(meter.driver.points):
        raise ValueError("%d good points of %d" % (good[0], len(meter.driver.points)))
    return took_us, count


def _turn(bus, meter, uart):
    """Let the meter have a turn; return how many requests it took."""
    count = 0
    bus.ask(meter, time.ticks_ms() & 0x3FFFFFFF)
    while not bus.is_quiet():
        now_ms, now_us = time.ticks_ms() & 0x3FFFFFFF, time.ticks_us() & 0x3FFFFFFF
        wait_us = bus.step(now_ms, now_us)
        if bus.send_count:
            count += 1
            uart.write(memoryview(bus.tx)[: bus.send_count])
            uart.flush()
            bus.sent(time.ticks_ms() & 0x3FFFFFFF, time.ticks_us() & 0x3FFFFFFF)
        data = uart.read()
        if data:
            bus.rx[: len(data)] = data
            bus.received(len(data), time.ticks_ms() & 0x3FFFFFFF, time.ticks_us() & 0x3FFFFFFF)
        elif wait_us > 1000:
            time.sleep_us(1000)
    return count


def main():
    """Do what the arguments say."""
    UART.path, baud = sys.argv[1], int(sys.argv[2])
    if sys.argv[3] == "eclor":
        print("%d %d" % eclor(baud, sys.argv[4]))
    else:
        reads = json.load(sys.stdin)
        print(umodbus(baud, reads), len(reads))


main()
