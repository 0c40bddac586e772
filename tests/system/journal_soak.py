"""Appends and trims by the million in one life of a journal; tests/soak.py runs it.

    soak("ring", "build/soak.flash", 10_000_000, 10)

The flash is a file, so the heap holds the journal and nothing else. Every append has another
length; most are soon made durable, read and acknowledged; now and then the collector is away until
the journal is full. Ten parts; after each a line, and micropython.mem_info() for the longest free
stretch: in units of the collector, 32 bytes on 64 bits, 16 on 32.
"""

import gc
import os

import micropython

from agent.journal import Journal
from agent.record import EVENT, PAYLOAD_MAX
from agent.ring import Ring
from agent.store import Files

_BLOCKS = 64
_BLOCK = 4096
_BYTES = 24 * 4096


class FileFlash:
    """NOR flash in a file: a program clears bits, an erase sets them; nothing is allocated."""

    def __init__(self, path):
        with open(path, "wb") as file:
            for _ in range(_BLOCKS):
                file.write(b"\xff" * _BLOCK)
        self._file = open(path, "r+b", 0)
        self._was = bytearray(1024)
        self._erased = b"\xff" * 1024

    def readblocks(self, block, out, offset=0):
        """Read."""
        self._file.seek(block * _BLOCK + offset)
        self._file.readinto(out)

    def writeblocks(self, block, data, offset=0):
        """Clear bits."""
        size = len(data)
        was = self._was
        self._file.seek(block * _BLOCK + offset)
        self._file.readinto(was, size)
        self._file.seek(block * _BLOCK + offset)
        if memoryview(was)[:size] == memoryview(self._erased)[:size]:
            self._file.write(data)
            return
        for i in range(size):
            was[i] &= data[i]
        self._file.write(was, size)

    def ioctl(self, op, argument):
        """Count, size, erase."""
        if op == 4:
            return _BLOCKS
        if op == 5:
            return _BLOCK
        if op == 6:
            self._file.seek(argument * _BLOCK)
            for _ in range(_BLOCK // 1024):
                self._file.write(self._erased)
        return 0


def _ground(name, path):
    flash = FileFlash(path)
    if name == "ring":
        return Ring(flash)
    os.VfsLfs2.mkfs(flash)
    os.mount(os.VfsLfs2(flash), "/soak")
    return Files("/soak/journal")


def soak(name, path, appends, parts=10):
    """Live on the ground of that name; print. Raises AssertionError when a promise is broken."""
    journal = Journal(_ground(name, path), lambda: 7, _BYTES)
    journal.start()
    gc.collect()
    gc.threshold(gc.mem_free() // 8)  # as firmware/main.py has it
    data = bytes([i * 37 & 0xFF for i in range(256)])
    out = bytearray(PAYLOAD_MAX + 16)
    seq = trims = 0
    for i in range(appends):
        journal.append(EVENT, data, 0, 20 + i * 37 % 180)
        if i & 7:
            continue
        journal.sync()
        if i & 0x3F == 0:
            journal.save_open(i, [(1, data, 0, 200)])
        if i & 0x1FFF < 0x1800:  # else the collector is away
            found, length = journal.read_from(seq + 1, out)
            while length and found < journal.durable:
                seq = found
                found, length = journal.read_from(seq + 1, out)
            seq = max(seq, found)
            journal.trim_through(7, seq)
            trims += 1
        journal.housekeep(i & 0x3FFFFFFF, True)
        if i % (appends // parts) < 8:
            gc.collect()
            print("soak", name, i, trims, gc.mem_alloc(), journal.acked, journal.lost_last)
            micropython.mem_info()
    assert not journal.errors and not journal.degraded and journal.lost_last
    assert journal.next == appends + 1, journal.next
    print("soak", name, "ends")
