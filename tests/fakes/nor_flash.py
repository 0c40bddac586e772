"""A NOR flash that can lose power: a MicroPython block device, deterministic by seed.

Erase sets a block's bits, a program only clears them; both are counted as operations. At
operation `cut_at` power goes: the operation is not done ("clean"), half done ("half") or leaves
random bits ("random"), PowerCut is raised, and from then on nothing changes any more.

    flash = NorFlash(bytearray(32 * 4096), cut_at=17, form="half")
"""

from errno import EIO

FORMS = ("clean", "half", "random")


class PowerCut(Exception):
    """Power is gone: drop every object and start again on a new NorFlash of the same data."""


class NorFlash:
    """The device around `data`, a bytearray of whole blocks that outlives it.

    program_size  bytes of the smallest program, 32 or 256; others raise
    cut_at        the operation, from 1, at which power goes; 0 never
    fail_at       the operation that answers EIO and changes nothing; 0 never
    silent_at     the operation that claims success and changes nothing; 0 never
    wear          erases of each block; operations, programmed: counts so far
    """

    def __init__(self, data, cut_at=0, form="clean", seed=1, program_size=32, block=4096):
        self.data = data
        self.block = block
        self.program_size = program_size
        self.cut_at = cut_at
        self.form = form
        self.fail_at = 0
        self.silent_at = 0
        self.operations = 0
        self.programmed = 0
        self.wear = [0] * (len(data) // block)
        self.dead = False
        self._torn = False  # power goes in the operation at hand
        self._state = seed

    def readblocks(self, number, out, offset=0):
        if self.dead:
            return 0  # a finaliser may still ask, with the heap locked
        at = number * self.block + offset
        out[:] = memoryview(self.data)[at : at + len(out)]
        return 0

    def writeblocks(self, number, source, offset=0):
        if offset % self.program_size or len(source) % self.program_size:
            raise ValueError("program of %d bytes at %d" % (len(source), offset))
        at = number * self.block + offset
        done = self._operation(len(source))
        for i in range(len(source) if done < 0 else done):
            self.data[at + i] &= source[i]
        if self._torn and self.form == "random":
            for i in range(len(source)):
                self.data[at + i] &= self._random() | source[i]
        self._after()
        self.programmed += len(source)
        return 0

    def ioctl(self, op, argument):
        if op == 4:
            return len(self.data) // self.block
        if op == 5:
            return self.block
        if op == 6:
            at = argument * self.block
            done = self._operation(self.block)
            length = self.block if done < 0 else done
            self.data[at : at + length] = b"\xff" * length
            if self._torn and self.form == "random":
                for i in range(self.block):
                    self.data[at + i] |= self._random()
            self._after()
            self.wear[argument] += 1
        return 0

    def _operation(self, length):
        """Count; return how many bytes are done before power goes, -1: all, it stays."""
        if self.dead:
            return 0
        self.operations += 1
        if self.operations == self.fail_at:
            raise OSError(EIO, "EIO")
        if self.operations == self.silent_at:
            return 0
        if self.operations != self.cut_at:
            return -1
        self.dead = self._torn = True
        return length // 2 if self.form == "half" else 0

    def _after(self):
        if self._torn:
            self._torn = False
            raise PowerCut("operation %d, %s" % (self.cut_at, self.form))

    def _random(self):
        self._state = (self._state * 1103515245 + 12345) & 0x3FFFFFFF
        return (self._state >> 12) & 0xFF
