"""Where a day of tests/system/journal_day.py may live: files on a real littlefs, a raw ring."""

import json
import os

from agent.record import FORMAT
from agent.ring import Ring
from tests.fakes.nor_flash import Noise, NorFlash
from tests.system.journal_day import JOURNAL_ID, Day
from tests.system.tally import Tally

_FILES: dict = {  # program size: what the boards' files say of theirs
    32: {"small": 128, "segment_size": 4096, "program_size": 32},
    256: {"small": 512, "segment_size": 8188, "program_size": 256},
}
_ID = JOURNAL_ID.to_bytes(4, "big")


class _World:
    """What both sorts share: a flash of so many blocks, and copies of it.

    program_size  32 as on ESP32, 256 as on RP2
    """

    def __init__(self, program_size=32, blocks=24, segments=6):
        self.segments = segments
        self._size = program_size
        self._blocks = blocks
        self._copies = {}

    def copy(self, data, depth):
        """Return a copy of a flash's bytes, valid until the next one for that depth."""
        if depth not in self._copies:
            self._copies[depth] = bytearray(len(data))
        self._copies[depth][:] = data
        return self._copies[depth]

    def again(self, data):
        """Return a flash of these bytes."""
        return NorFlash(data, program_size=self._size)


class Littlefs(_World):
    """Whole-segment files on the real littlefs: VfsLfs2 on MicroPython, its C code on CPython."""

    _mounted = 0

    def fresh(self):
        """Return a flash with an empty file system."""
        flash = self.again(bytearray(b"\xff" * (self._blocks * 4096)))
        if hasattr(os, "VfsLfs2"):
            os.VfsLfs2.mkfs(flash, progsize=self._size)
        else:
            from tests.fakes.littlefs_host import format_littlefs

            format_littlefs(flash)
        return flash

    def mount(self, flash):
        """Mount, return the ground. Raises OSError when the file system cannot be mounted."""
        if hasattr(os, "VfsLfs2"):
            from agent.store import Files

            self._mounted += 1  # no name twice
            root = "/w%d" % self._mounted

            def remount():
                os.umount(root)
                os.mount(os.VfsLfs2(flash, progsize=self._size), root)

            os.mount(os.VfsLfs2(flash, progsize=self._size), root)
            return Files(root + "/j", **_FILES[self._size], remount=remount)
        from tests.fakes.littlefs_host import files_on

        return files_on(flash, "/j", **_FILES[self._size])

    def rot(self, data, noise):
        """Flip a bit of a file's block: metadata has CRCs of littlefs' own."""
        blocks = []
        for at in range(0, len(data), 4096):
            if data[at] == FORMAT and data[at + 1] and data[at + 8 : at + 12] == _ID:
                blocks.append(at)
        if not blocks:
            return -1
        at = blocks[noise.below(len(blocks))] + noise.below(4096)
        data[at] ^= 1 << noise.below(8)
        return at

    def unmount(self, ground):
        """Let go of what mount() gave."""
        if hasattr(os, "VfsLfs2"):
            os.umount("/" + ground.root.split("/")[1])


class RawRing(_World):
    """The ring of agent/ring.py on the flash itself, which begins with what others have left."""

    def fresh(self):
        """Return a flash that somebody else has used before."""
        return self.again(bytearray(Noise(5).take(4096) * self._blocks))

    def mount(self, flash):
        """Return a ground."""
        return Ring(flash, self._size)

    def rot(self, data, noise):
        """Flip a bit anywhere, or of a head or a foot, on which most depends."""
        at = noise.below(len(data))
        if at % 3 == 0:
            units = [i for i in range(0, len(data), 32) if data[i : i + 4] == b"EcR1"]
            at = units[at % len(units)] + at % 32 if units else at
        data[at] ^= 1 << noise.below(8)
        return at

    def unmount(self, ground):
        """Let go of what mount() gave: nothing to do."""


WORLDS = {
    "files-esp32": lambda **sizes: Littlefs(32, **sizes),
    "files-rp2": lambda **sizes: Littlefs(256, **sizes),
    "ring-esp32": lambda **sizes: RawRing(32, **sizes),
    "ring-rp2": lambda **sizes: RawRing(256, **sizes),
}


def explore(name, seed, every, phase, ticks=288):
    """Live a day in the world of that name, one operation in `every` cut; return its Tally."""
    tally = Tally()
    Day(WORLDS[name](), seed, every=every, phase=phase, ticks=ticks).run(tally)
    return tally


def report(name, seed, every, phase):
    """Print the counts of explore() as one line of JSON: how another process is asked."""
    tally = explore(name, seed, every, phase)
    counts = [tally.operations, tally.cuts, tally.deep, tally.troubles, tally.broken]
    counts.append(tally.first)
    print(json.dumps(counts))
