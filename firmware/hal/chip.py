"""What the chips have in common: time, entropy, heap, UARTs, LED, watchdog, WiFi.

Not a board by itself: rp2.py and esp32.py complete it. The contract is in __init__.py.
"""

import gc
import os
import sys
import time
from errno import ENODEV

import machine
import network
from micropython import const

from agent.clock import civil_from_days, days_from_civil
from firmware.hal import ABSENT, DOWN, JOINING, REFUSED, UP
from firmware.hal.edges import Edges
from firmware.hal.uart import Uart

_MASK = const(0x3FFFFFFF)
_FIRST_YEAR = const(2025)  # a clock that nobody has set says 2000, 2015 or 2021
_LAST_YEAR = const(2099)


class Chip:
    """platform: what boot.py runs on, it knows how to reset. board: its literal of boards/."""

    root = ""
    interrupt: dict = {}  # options of Pin.irq that only this port has
    drift_ppm = 40  # a crystal
    longest_sleep_ms = 432000000

    def __init__(self, platform, board):
        self.board = board
        self._platform = platform
        self.start_ms = self.ticks_ms()  # they count from the reset
        self.interfaces = tuple(board["interfaces"])
        self.id = "".join(["%02x" % b for b in machine.unique_id()])
        version = ".".join([str(v) for v in sys.implementation.version[:3]])
        self.runtime = "%s %s on %s" % (sys.implementation.name, version, board["chip"])
        self.cause = self._why_it_began()
        self._rtc = machine.RTC()
        if board["led"] is not None:
            self._pin = machine.Pin(board["led"], machine.Pin.OUT, value=0)
            self.led = self._shine
        if board.get("supply"):
            self._adc = self._open_adc(machine.Pin(board["supply"]["adc"]))
            self.supply_mv = self._supply_mv

    # What a port must add.

    def _why_it_began(self):
        raise NotImplementedError

    def _mark_reset(self):
        """Leave a mark that survives the reset which follows: it was wanted."""
        raise NotImplementedError

    def _mark_sleep(self, ms):
        """Leave what the start after a sleep of so many ms has to know."""

    def _open_adc(self, pin):
        """Return the ADC of a pin, set to its whole range."""
        return machine.ADC(pin)

    def _adc_mv(self):
        """Return what the supply's pin has, in mV."""
        raise NotImplementedError

    # What they share.

    def ticks_ms(self):
        """Milliseconds, wrapping."""
        return time.ticks_ms() & _MASK  # type: ignore[operator]  # a type of its own

    def ticks_us(self):
        """Microseconds, wrapping."""
        return time.ticks_us() & _MASK  # type: ignore[operator]

    def wall_ms(self):
        """The chip's own clock, 0 while nobody has set it: it does not run without power."""
        year, month, day, _, hour, minute, second, fraction = self._rtc.datetime()
        if not _FIRST_YEAR <= year <= _LAST_YEAR:
            return 0
        seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
        return seconds * 1000 + fraction // 1000

    def set_wall(self, ms):
        """Set the chip's clock: TLS checks the dates of a certificate by it."""
        days, rest_ms = divmod(ms, 86400000)
        year, month, day = civil_from_days(days)
        seconds = rest_ms // 1000
        self._rtc.datetime(
            (
                year,
                month,
                day,
                (days + 3) % 7,  # 1970-01-01 was a Thursday, Monday is 0
                seconds // 3600,
                seconds // 60 % 60,
                seconds % 60,
                rest_ms % 1000 * 1000,
            )
        )

    def random(self, n):
        """Below n, from the chip's entropy."""
        return int.from_bytes(os.urandom(8), "big") % n

    def heap(self):
        """Bytes used and free, after a collection: the live heap."""
        gc.collect()
        return gc.mem_alloc(), gc.mem_free()

    def open_uart(self, name):
        """Open a UART of the board. Raises OSError when it has none of that name."""
        if name not in self.board["uarts"]:
            raise OSError(ENODEV)
        return Uart(self.board["uarts"][name])

    def open_pins(self, names):
        """Open inputs, pulled up. Raises OSError when the board lacks one of them."""
        pins = self.board["pins"]
        for name in names:
            if name not in pins:
                raise OSError(ENODEV)
        return Inputs([pins[name] for name in names], self.interrupt)

    def open_interface(self, name):
        """Return the interface of that name. Raises OSError when the board has none."""
        if name == "wifi" and name in self.interfaces:
            return Wifi()
        if name == "ppp" and hasattr(network, "PPP"):  # rp2: not in every image
            from firmware.hal.ppp import Ppp

            return Ppp(self.open_uart, self.ticks_ms)
        raise OSError(ENODEV)

    def name_servers(self):
        """What DHCP said; one for all interfaces."""
        server = network.ipconfig("dns")
        return [] if server in ("", "0.0.0.0") else [server]

    def start_watchdog(self, ms):
        """Start it; return the function that feeds it."""
        return machine.WDT(timeout=min(ms, self.board["watchdog_ms"])).feed

    def _supply_mv(self):
        """Behind the board's divider."""
        wiring = self.board["supply"]
        return self._adc_mv() * wiring["times"] // wiring["over"]

    def _shine(self, on):
        self._pin.value(1 if on else 0)

    def reset(self):
        """Start again as after a power cut, but say that it was wanted."""
        self._mark_reset()
        self._platform.reset()

    def sleep(self, ms):
        """Switch the radio off and sleep so deep that it ends as a start."""
        if "wifi" in self.interfaces:
            network.WLAN(network.STA_IF).active(False)
        self._mark_sleep(ms)
        machine.deepsleep(ms)


class Inputs(Edges):
    """The edges of some pins, stamped by interrupts."""

    def __init__(self, numbers, interrupt):
        """numbers: the pins. interrupt: options of Pin.irq."""
        super().__init__(len(numbers))
        self._pins = []
        for index, number in enumerate(numbers):
            pin = machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)
            self._pins.append(pin)
            pin.irq(
                self._handler(index, pin),
                machine.Pin.IRQ_RISING | machine.Pin.IRQ_FALLING,
                **interrupt,
            )

    def _handler(self, index, pin):
        def on_edge(_):
            self.note(index, pin.value(), time.ticks_ms())

        return on_edge

    def readinto(self, buffer):
        """Move whole edges into buffer; return their bytes.

        Each level is looked at too: a port that queues its interrupts may have dropped one.
        """
        now_ms = time.ticks_ms()
        state = machine.disable_irq()
        for index, pin in enumerate(self._pins):
            self.note(index, pin.value(), now_ms)
        self.settle(now_ms)
        machine.enable_irq(state)
        return super().readinto(buffer)


class Wifi:
    """A WiFi station."""

    def __init__(self):
        self._station = network.WLAN(network.STA_IF)

    def start(self):
        """Power it."""
        self._station.active(True)

    def stop(self):
        """Power it off."""
        self._station.active(False)

    def join(self, network_row):
        """Begin to join; leave what was joined before."""
        self._station.disconnect()
        self._station.connect(network_row["ssid"], network_row["key"] or None)

    @property
    def state(self):
        """UP with an address, JOINING, REFUSED, ABSENT or DOWN."""
        if self._station.isconnected():
            return UP
        status = self._station.status()
        if status == network.STAT_CONNECTING:
            return JOINING
        if status == network.STAT_WRONG_PASSWORD:
            return REFUSED
        if status == network.STAT_NO_AP_FOUND:
            return ABSENT
        return DOWN

    def signal(self):
        """Return dBm, None while not joined."""
        if not self._station.isconnected():
            return None
        return self._station.status("rssi")
