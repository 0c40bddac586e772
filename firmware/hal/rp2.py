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
_PROGRAM_BYTES = const(256)  # as in ports/rp2/modules/_boot.py: a page


class Hal(Chip):
    """The porting contract of firmware/hal/__init__.py on RP2040 and RP2350."""

    interrupt = {"hard": True}

    def _why_it_began(self):
        """machine.reset() is a watchdog's reset here: the mark tells them apart."""
        register = _SCRATCH0[self.board["chip"]]
        was_wanted = machine.mem32[register] == _WANTED
        machine.mem32[register] = 0
        if machine.reset_cause() != machine.WDT_RESET:
            return "power"
        return "soft" if was_wanted else "watchdog"

    def _mark_reset(self):
        machine.mem32[_SCRATCH0[self.board["chip"]]] = _WANTED

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
