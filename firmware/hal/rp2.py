"""Raspberry Pi Pico W and Pico 2 W as a board (boards/rpi_pico_w.py, boards/rpi_pico2_w.py)."""

from errno import ENODEV

import machine
import rp2
import vfs
from micropython import const

from firmware.hal.chip import Chip

# The watchdog's scratch register 0 keeps its value through every reset but the loss of power,
# and the SDK leaves 0 to 3 alone (RP2040 datasheet 4.7.2, RP2350 datasheet 12.9.2).
_SCRATCH0 = {"rp2040": 0x4005800C, "rp2350": 0x400D800C}
_WANTED = const(0x45434C52)
_SLEPT = const(0x45434C53)  # then scratch registers 1 and 2: ms since 1970 when it ends, 0 unset
_CTRL = const(-12)  # of the watchdog, from scratch register 0; bit 30 lets it count
_CLEAR = const(0x3000)  # from a register to where writing a 1 clears a bit (2.1.2; 2.1.3)
_ENABLE = const(0x40000000)
# RP2350 datasheet 6.4, POWMAN CHIP_RESET: the last reset was a brown-out's. An RP2040 does not
# tell one from a power-on (RP2040 datasheet 2.12.8, HAD_POR).
_CHIP_RESET = const(0x4010002C)
_HAD_BOR = const(1 << 17)
_PROGRAM_BYTES = const(256)  # as in ports/rp2/modules/_boot.py: a page


class Hal(Chip):
    """The porting contract of firmware/hal/__init__.py on RP2040 and RP2350."""

    interrupt = {"hard": True}

    longest_sleep_ms = 4200000  # 32 bits of us (ports/rp2/modmachine.c)

    def __init__(self, platform, board):
        self._woken_ms = 0
        self._machines: dict = {}  # input: number and state machine that looks at it
        super().__init__(platform, board)
        if self._woken_ms:  # the port has set its clock to 2021
            self.set_wall(self._woken_ms + self.ticks_ms())

    def _why_it_began(self):
        """machine.reset() is a watchdog's reset here: the mark tells them apart."""
        register = _SCRATCH0[self.board["chip"]]
        mark = machine.mem32[register]
        machine.mem32[register] = 0
        if machine.reset_cause() != machine.WDT_RESET:
            had = machine.mem32[_CHIP_RESET] if self.board["chip"] == "rp2350" else 0
            return "brownout" if had & _HAD_BOR else "power"
        if mark == _SLEPT:
            self._woken_ms = machine.mem32[register + 8] << 32 | machine.mem32[register + 4]
            return "sleep"
        return "soft" if mark == _WANTED else "watchdog"

    def _mark_sleep(self, ms):
        """Let no watchdog bite in the sleep, an RP2040 would hang (micropython#17228)."""
        register = _SCRATCH0[self.board["chip"]]
        wall_ms = self.wall_ms()
        woken_ms = wall_ms + ms if wall_ms else 0
        machine.mem32[register + 4] = woken_ms & 0xFFFFFFFF
        machine.mem32[register + 8] = woken_ms >> 32
        machine.mem32[register] = _SLEPT
        machine.mem32[register + _CTRL + _CLEAR] = _ENABLE

    def _mark_reset(self):
        machine.mem32[_SCRATCH0[self.board["chip"]]] = _WANTED

    def _adc_mv(self):
        return self._adc.read_u16() * 3300 // 65535

    def open_pins(self, names):
        """Open inputs, pulled up: looked at by PIO, by interrupts where no machine is free."""
        from firmware.hal.sampler import Sampled, state_machine

        pins = self.board["pins"]
        try:
            for name in names:
                if name in pins and name not in self._machines:
                    taken = [which for which, _ in self._machines.values()]
                    self._machines[name] = state_machine(pins[name], taken)
            return Sampled([self._machines[name][1] for name in names])
        except (KeyError, OSError):
            return super().open_pins(names)

    def remount(self):
        """Mount the file system anew."""
        vfs.umount("/")
        files = vfs.VfsLfs2(rp2.Flash(), progsize=_PROGRAM_BYTES)  # type: ignore[abstract]
        vfs.mount(files, "/")

    def open_journal(self):
        """Return the journal's region: rp2.Flash counts from where the image's storage begins."""
        regions = {name: (start, size) for name, start, size in self.board["flash"]["regions"]}
        if "journal" not in regions:
            raise OSError(ENODEV)
        start, size = regions["journal"]
        return rp2.Flash(start=start - min(start, regions["files"][0]), len=size)
