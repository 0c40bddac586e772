"""A NOR flash that can lose power and rot: a MicroPython block device, deterministic by seed.

Erase sets a block's bits, a program only clears them; both are counted as operations. At
operation `cut_at` power goes: the operation is not done ("clean"), half done ("half") or leaves
random bits ("random"), PowerCut is raised, and from then on nothing changes any more. What else
a flash does to those who trust it: stuck bits, programs and erases that claim success and change
nothing, EIO once or for ever, bits that flip after many reads of a block.

    flash = NorFlash(bytearray(32 * 4096), cut_at=17, form="half")
    flash.watch = lambda flash, at, source: ...   # before each operation: explore a cut here
"""

from errno import EIO
from hashlib import sha256

FORMS = ("clean", "half", "random")
ERASE_US = 45_000  # W25Q16JV, table of AC characteristics: typical times
PAGE_US = 400
_PAGE = 256


class PowerCut(Exception):
    """Power is gone: drop every object and start again on a new NorFlash of the same data."""


class Noise:
    """Random bytes, the same on every runtime: SHA-256 of a seed and a counter."""

    def __init__(self, seed):
        self._seed = b"%d/" % seed
        self._count = 0

    def take(self, length):
        """Return that many bytes."""
        parts = []
        for _ in range((length + 31) // 32):
            self._count += 1
            parts.append(sha256(self._seed + b"%d" % self._count).digest())
        return b"".join(parts)[:length]

    def below(self, limit):
        """Return an integer 0 .. limit - 1, limit far below 2**32."""
        return int.from_bytes(self.take(4), "big") % limit


def _or(a, b):
    return (int.from_bytes(a, "big") | int.from_bytes(b, "big")).to_bytes(len(a), "big")


def _and(a, b):
    return (int.from_bytes(a, "big") & int.from_bytes(b, "big")).to_bytes(len(a), "big")


def program(data, at, source):
    """Clear the bits of data[at:] that are clear in source: what a page program does."""
    end = at + len(source)
    data[at:end] = _and(data[at:end], source)


def tear(data, at, source, size, form, noise):
    """Leave in data what an operation leaves that power ended.

    source  what was programmed at index at; None: the block of `size` bytes there was erased
    form    "clean": nothing happened; "half": the first half is done; "random": any of the bits
            that the operation would have changed
    """
    if form == "half":
        if source is None:
            data[at : at + size // 2] = b"\xff" * (size // 2)
        else:
            program(data, at, bytes(source[: size // 2]))
    elif form == "random":
        bits = noise.take(size)
        if source is None:
            data[at : at + size] = _or(data[at : at + size], bits)
        else:
            program(data, at, _or(bytes(source), bits))


class NorFlash:
    """The device around `data`, a bytearray of whole blocks that outlives it.

    program_size   bytes of the smallest program, 32 or 256; others raise
    cut_at         the operation, from 1, at which power goes; 0 never
    fail_at        the operation that answers EIO and changes nothing; 0 never
    fail_from      from this operation on all answer EIO; 0 never
    silent_at      the operation that claims success and changes nothing; 0 never
    bad            set of blocks whose erase and program answer EIO
    unreadable     set of blocks whose reading answers EIO
    stuck          dict: index into data: (mask, value), bits that no operation changes
    disturb_every  reads of a block after which one of its bits flips; 0 never
    read_size      what littlefs on CPython reads at once: more is faster, and wears the same
    watch          callable(flash, index, source or None) before each operation; None: nobody
    busy           callable(microseconds) after each: how long interrupts were off; None: nobody
    operations, reads, programmed, erased   counts so far, the last two in bytes
    wear           erases of each block; busy_us: typical times of the data sheet, added
    """

    def __init__(self, data, cut_at=0, form="clean", seed=1, program_size=32, block=4096):
        self.data = data
        self.block = block
        self.program_size = program_size
        self.cut_at = cut_at
        self.form = form
        self.fail_at = 0
        self.fail_from = 0
        self.silent_at = 0
        self.bad = set()
        self.unreadable = set()
        self.stuck = {}
        self.disturb_every = 0
        self.read_size = 32
        self.watch = None
        self.busy = None
        self.operations = 0
        self.reads = 0
        self.programmed = 0
        self.erased = 0
        self.busy_us = 0
        self.wear = [0] * (len(data) // block)
        self.dead = False
        self._read_of = {}
        self._noise = Noise(seed)

    def readblocks(self, number, out, offset=0):
        """Read len(out) bytes of a block from an offset on."""
        if self.dead:
            return 0  # a finaliser may still ask, with the heap locked
        at = number * self.block + offset
        if self.unreadable and number in self.unreadable:
            raise OSError(EIO, "EIO")
        if self.disturb_every:
            self._disturb(number)
        self.reads += 1
        out[:] = memoryview(self.data)[at : at + len(out)]
        return 0

    def writeblocks(self, number, source, offset=0):
        """Program; nothing is erased, whatever the offset."""
        size = len(source)
        if offset % self.program_size or size % self.program_size or offset + size > self.block:
            raise ValueError("program of %d bytes at %d" % (size, offset))
        at = number * self.block + offset
        if self._begin(number, at, source, size, PAGE_US * ((size + _PAGE - 1) // _PAGE)):
            program(self.data, at, bytes(source))
            self._hold(at, size)
        self.programmed += size
        return 0

    def ioctl(self, op, argument):
        """Answer the count (4) and size (5) of blocks, erase one (6)."""
        if op == 4:
            return len(self.data) // self.block
        if op == 5:
            return self.block
        if op == 6 and not self.dead:
            at = argument * self.block
            if self._begin(argument, at, None, self.block, ERASE_US):
                self.data[at : at + self.block] = b"\xff" * self.block
                self._hold(at, self.block)
                self._read_of[argument] = 0
            self.wear[argument] += 1
            self.erased += self.block
        return 0

    def _begin(self, number, at, source, size, busy_us):
        """Count the operation, let fate have its way; return whether it is to be done."""
        if self.dead:
            return False
        self.operations += 1
        if self.watch is not None:
            self.watch(self, at, source)
        if self.operations == self.cut_at:
            self.dead = True
            tear(self.data, at, source, size, self.form, self._noise)
            raise PowerCut("operation %d, %s" % (self.cut_at, self.form))
        if self.operations == self.fail_at or 0 < self.fail_from <= self.operations:
            raise OSError(EIO, "EIO")
        if number in self.bad:
            raise OSError(EIO, "EIO")
        self.busy_us += busy_us
        if self.busy is not None:
            self.busy(busy_us)
        return self.operations != self.silent_at

    def _hold(self, at, size):
        for index in self.stuck:
            if at <= index < at + size:
                mask, value = self.stuck[index]
                self.data[index] = self.data[index] & ~mask & 0xFF | value & mask

    def _disturb(self, number):
        count = self._read_of.get(number, 0) + 1
        self._read_of[number] = count
        if count % self.disturb_every == 0:
            bit = self._noise.below(self.block * 8)
            self.data[number * self.block + bit // 8] ^= 1 << bit % 8
