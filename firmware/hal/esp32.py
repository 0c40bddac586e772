"""ESP32 and ESP32-S3 as a board, by WiFi or by Ethernet (boards/esp32_*.py)."""

from errno import ENODEV

import machine
import network
import vfs
from esp32 import Partition

from firmware.hal import DOWN, JOINING, UP
from firmware.hal.chip import Chip

# Where the reset's cause is, and the number of a power-on or the reset button there (ESP32 and
# ESP32-S3 technical reference manuals, RTC_CNTL_RESET_STATE). MicroPython calls a brown-out,
# which ESP-IDF ends by a reset of its own, a power-on.
_STATE = {"esp32": 0x3FF48034, "esp32s3": 0x60008038}
_POWER_ON = 1
_WANTED = b"soft"  # at the start of the memory that survives a reset


class Hal(Chip):
    """The porting contract of firmware/hal/__init__.py on ESP32."""

    # Asleep its clock is an RC oscillator (ESP-IDF, "RTC timer clock sources").
    drift_ppm = 50000

    def __init__(self, platform, board):
        """As Chip has it."""
        self._units: dict = {}  # input: which counter is its
        super().__init__(platform, board)

    def _why_it_began(self):
        """A panic and machine.reset() look alike here: the mark tells them apart."""
        memory = machine.RTC().memory()
        was_wanted = memory[: len(_WANTED)] == _WANTED
        if was_wanted:
            machine.RTC().memory(bytes(len(_WANTED)) + memory[len(_WANTED) :])
        cause = machine.reset_cause()
        if cause == machine.PWRON_RESET:
            state = machine.mem32[_STATE[self.board["chip"]]] & 63
            return "power" if state == _POWER_ON else "brownout"
        if cause == machine.DEEPSLEEP_RESET:
            return "sleep"
        if cause == machine.WDT_RESET:
            return "watchdog"
        return "soft" if was_wanted or cause == machine.SOFT_RESET else "fault"

    def _mark_reset(self):
        machine.RTC().memory(_WANTED + machine.RTC().memory()[len(_WANTED) :])

    def memory(self, data=None):
        """Read or replace what survives a reset, behind the mark."""
        kept = machine.RTC().memory()
        if data is not None:
            machine.RTC().memory((kept + bytes(len(_WANTED)))[: len(_WANTED)] + data)
        return kept[len(_WANTED) :]

    def _open_adc(self, pin):
        return machine.ADC(pin, atten=machine.ADC.ATTN_11DB)

    def _adc_mv(self):
        return self._adc.read_uv() // 1000  # calibrated by the factory

    def open_pins(self, names):
        """Open inputs, pulled up: by interrupts, and by counters where one is free for each."""
        from firmware.hal.counter import Counted, counter

        pins = self.board["pins"]
        try:
            counters = []
            for name in names:
                unit = self._units.setdefault(name, len(self._units))
                counters.append(counter(unit, pins[name]))
        except (KeyError, OSError):
            return super().open_pins(names)
        return Counted([pins[name] for name in names], self.interrupt, counters)

    def remount(self):
        """Mount the file system anew."""
        found = Partition.find(Partition.TYPE_DATA, label="vfs")
        vfs.umount("/")
        vfs.mount(vfs.VfsLfs2(found[0]), "/")  # type: ignore[abstract]  # stubs: a block device

    def open_journal(self):
        """Return the partition labelled journal. Raises OSError when the table has none."""
        found = Partition.find(Partition.TYPE_DATA, label="journal")
        if not found:
            raise OSError(ENODEV)
        return found[0]

    def open_interface(self, name):
        """Return WiFi or Ethernet. Raises OSError when the board has none of that name."""
        if name == "ethernet" and name in self.interfaces:
            return Ethernet(self.board["interfaces"]["ethernet"])
        return super().open_interface(name)


class Ethernet:
    """The chip's own MAC and a PHY; addresses by DHCP."""

    def __init__(self, wiring):
        # The PHY's clock is part of the board's image: naming it again fails on the Olimex
        # ESP32-POE revision L (micropython#14013).
        self._lan = network.LAN(  # type: ignore[call-arg]  # stubs: another port's LAN
            0,
            mdc=machine.Pin(wiring["mdc"]),
            mdio=machine.Pin(wiring["mdio"]),
            power=machine.Pin(wiring["power"]),
            phy_type=getattr(network, "PHY_" + wiring["phy"]),
            phy_addr=wiring["address"],
        )

    def start(self):
        """Power the PHY."""
        self._lan.active(True)

    def stop(self):
        """Power it off."""
        self._lan.active(False)

    def join(self, network_row):
        """Nothing to join: the cable is the network."""

    @property
    def state(self):
        """UP with an address, JOINING without, DOWN without a link."""
        status = self._lan.status()
        if status == network.ETH_GOT_IP:
            return UP
        return JOINING if status == network.ETH_CONNECTED else DOWN

    def signal(self):
        """There is none on a cable."""
