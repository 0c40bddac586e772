"""The raw ground: the journal on a block device of its own, without a file system.

Not here: what the bytes mean (journal.py), files (store.py, the other ground with the same
functions). Every byte on the device: agent/JOURNAL.md, "The ring".

    ring = Ring(device, program_size=32)   # a partition: ESP32 `journal`, a custom Pico build
    ring.open()
    ring.write_segment(42, data, 0, 3900)

A block holds one segment, or saves of one slot one behind the other. Blocks are taken in turn,
round and round, so wear is level; what is live is passed over. Nothing is ever changed in place:
content is programmed first, then its head, which makes it true, then its foot, the head's copy.
"""

from array import array
from errno import EIO

from micropython import const

from agent.heads import HEAD, REMOVED, Heads, up
from agent.pages import Pages
from agent.store import SLOTS

_ENOSPC = const(28)
# What a block is.
_FREE = const(0)
_SEGMENT = const(1)
_SLOT = const(2)  # + index in SLOTS: saves of that slot
_TAKEN = const(254)  # erased or being written in this life
_BAD = const(255)  # failed in this life


class Ring:
    """Segments and slots on a block device (os.AbstractBlockDev, extended interface).

    device        readblocks(block, buffer, offset), writeblocks(the same), which never erases,
                  ioctl(4 count, 5 size, 6 erase)
    program_size  bytes of the smallest program: 32 on ESP32, 256 on RP2
    segment_size  bytes of a segment: a block without a head and a foot
    room          segments that always fit beside the slots
    small         bytes of a delta worth writing before all of the tail is written again
    wear          erases of each block so far, as the blocks themselves say
    erased, hottest, blocks   all of them, those of the block erased most, how many blocks
    erases        what prepare() erases; a write too, when it has to
    """

    erases = 1
    is_estimate = False

    def __init__(self, device, program_size=32, small=1024):
        self.device = device
        self.small = small
        self._size = device.ioctl(5, 0)
        self._count = device.ioctl(4, 0)
        self.segment_size = self._size - 2 * HEAD
        self.room = self._count - 10  # 4 slots, twice while they change, and two blocks erased
        self.wear = array("I", bytes(4 * self._count))
        self._what = bytearray(self._count)
        self._key = array("I", bytes(4 * self._count))  # a segment's number, a save's sequence
        self._sequence = 0
        self._cursor = 0
        self._ready: list = []  # blocks erased in a quiet moment
        self._stock = 2  # how many it wants: enough for the longest save
        self._saved: dict = {}  # slot: its content as a list of (block, offset, length)
        self._next: dict = {}  # slot: (block, offset) where its next save may go
        self._new: list = []  # the save under way, as in _saved
        self._slot = ""
        self._left = 0  # bytes of it to come
        self._pages = Pages(device, program_size)
        self._heads = Heads(device, program_size)
        self._scrubbed = 0  # blocks that scrub() has passed

    def open(self):
        """Find what the device holds: a head of each block, and the slots' newest blocks."""
        self._saved.clear()
        self._next.clear()
        self._ready.clear()
        self._new = []
        newest = -1
        self._sequence = self._heads.sequence = 0
        known = total = 0
        for block in range(self._count):
            self._what[block] = _FREE
            if not self._heads.look(block):
                continue
            what, _, _, _, sequence, number, _, erases = self._heads.fields()
            if not self._heads.is_removed():
                self._what[block] = what
                self._key[block] = number if what == _SEGMENT else sequence
            self.wear[block] = erases
            known += 1
            total += erases
            if sequence > self._sequence:
                self._sequence = sequence
                newest = block
        self._drop_twins()
        for index, slot in enumerate(SLOTS):
            self._find_slot(_SLOT + index, slot)
        self._sequence = max(self._sequence, self._heads.sequence)
        self._cursor = (newest + 1) % self._count
        for block in range(self._count):
            if known and not self.wear[block]:
                self.wear[block] = total // known  # its head is gone: as worn as the others

    def segments(self):
        """Return the numbers of all segments, ascending, as a new list."""
        numbers = [self._key[b] for b in range(self._count) if self._what[b] == _SEGMENT]
        numbers.sort()
        return numbers

    def write_segment(self, number, data, start, end):
        """Store data[start:end] as the segment of that number; durable on return."""
        self._sequence += 1
        self._release()
        block = self._take_block()
        self._new.append((block, HEAD, end - start))
        self._pages.go_to(block, HEAD)
        self._pages.put(data, start, end)
        self._seal(_SEGMENT, block, 0, 0, 1, number, end - start)
        self._what[block] = _SEGMENT
        self._key[block] = number
        self._new = []

    def read_segment(self, number, out):
        """Copy a segment into the bytearray out, return its length; 0 when there is none."""
        block = self._block_of(number)
        at = self._heads.look(block) if block >= 0 else 0
        if not at:
            return 0
        length = self._heads.fields()[6]
        self.device.readblocks(block, memoryview(out)[:length], at)
        return length

    def remove_segment(self, number):
        """Remove a segment: say so in its head and foot; no error when it is gone already."""
        block = self._block_of(number)
        at = self._heads.look(block) if block >= 0 else 0
        if not at:
            return
        foot = at + up(self._heads.fields()[6], HEAD)
        self._what[block] = _FREE
        for at in (0, foot):
            self._pages.go_to(block, at + REMOVED)
            self._pages.put(b"\x00\x00\x00\x00", 0, 4)
            self._pages.flush()

    def begin(self, slot, length):
        """Begin to replace a slot's content with `length` bytes; the old holds until commit()."""
        self._release()
        self._sequence += 1
        self._slot = slot
        self._left = length
        block, at = self._next.pop(slot, (0, self._size))
        if at + self._heads.room_of(length) > self._size:
            block, at = self._take_block(), 0
        self._new.append((block, at + HEAD, min(length, self.segment_size)))
        self._pages.go_to(block, at + HEAD)

    def put(self, data, start, end):
        """Add data[start:end] to what was begun."""
        while start < end:
            block, at, length = self._new[-1]
            room = at + length - self._pages.at
            if not room:
                self._seal_part()
                block = self._take_block()
                self._new.append((block, HEAD, min(self._left, self.segment_size)))
                self._pages.go_to(block, HEAD)
                continue
            stop = min(end, start + room)
            self._pages.put(data, start, stop)
            self._left -= stop - start
            start = stop

    def commit(self):
        """Make what was put durable, at once and as a whole."""
        if self._left:
            raise ValueError("%d bytes of %s are missing" % (self._left, self._slot))
        self._seal_part()
        block, at, length = self._new[-1]
        self._next[self._slot] = (block, at - HEAD + self._heads.room_of(length))
        self._keep(self._slot, self._new)
        self._new = []

    def load(self, slot, out, at=0):
        """Copy a slot's content from byte `at` on into the bytearray out; return the count."""
        done = 0
        for block, offset, length in self._saved.get(slot, ()):
            count = min(length - at, len(out) - done)
            if count > 0:
                part = memoryview(out)[done : done + count]
                self.device.readblocks(block, part, offset + at)
                done += count
            at = max(0, at - length)
        return done

    @property
    def blocks(self):
        """All blocks."""
        return self._count

    @property
    def erased(self):
        """Erases of all blocks together."""
        return sum(self.wear)

    @property
    def hottest(self):
        """Erases of the block that was erased most."""
        return max(self.wear)

    def note_wear(self, erased):
        """Nothing to note: the heads know it, block by block."""

    @property
    def is_ready(self):
        """Whether the next write erases nothing."""
        return len(self._ready) >= self._stock

    def prepare(self):
        """Erase one block in advance, in a quiet moment; false when enough are erased."""
        if self.is_ready:
            return False
        self._ready.append(self._erase_next())
        return True

    def renew(self):
        """Let each slot's next content begin a block of its own: the older ones are freed."""
        self._next.clear()

    def scrub(self):
        """Erase one free block; false when all of them were."""
        while self._scrubbed < self._count:
            block = self._scrubbed
            self._scrubbed += 1
            if self._what[block] == _FREE:
                self.wear[block] += 1
                if self.device.ioctl(6, block):
                    self._what[block] = _BAD
                return True
        self._scrubbed = 0
        return False

    def recover(self):
        """After an OSError: nothing that was begun goes on, each slot begins a fresh block."""
        self._release()
        self._next.clear()

    # --- blocks

    def _take_block(self):
        return self._ready.pop(0) if self._ready else self._erase_next()

    def _erase_next(self):
        """Erase the next free block of the round; return it."""
        for _ in range(self._count):
            block = self._cursor
            self._cursor = (block + 1) % self._count
            if self._what[block] == _FREE:
                self._what[block] = _BAD  # until it has proved itself
                self.wear[block] += 1
                if self.device.ioctl(6, block):
                    raise OSError(EIO, "EIO")
                self._what[block] = _TAKEN
                return block
        failed = [b for b in range(self._count) if self._what[b] == _BAD]
        if not failed:
            raise OSError(_ENOSPC, "ENOSPC")
        for block in failed:  # what failed in this life gets another chance
            self._what[block] = _FREE
        raise OSError(EIO, "EIO")

    def _release(self):
        """Give back the blocks of a save that did not come to its end."""
        for block, _, _ in self._new:
            if self._what[block] == _TAKEN:
                self._what[block] = _BAD if block == self._pages.failed else _FREE
        self._new = []

    def _keep(self, slot, parts):
        """Make parts the content of a slot: the blocks of the old content are free."""
        for block, _, _ in self._saved.get(slot, ()):
            self._what[block] = _FREE
        for block, _, _ in parts:
            self._what[block] = _SLOT + SLOTS.index(slot)
        self._saved[slot] = parts

    def _block_of(self, number):
        for block in range(self._count):
            if self._key[block] == number and self._what[block] == _SEGMENT:
                return block
        return -1

    def _drop_twins(self):
        """A segment whose foot failed was written again: one of the two is enough."""
        before = -1
        for number in self.segments():
            if number == before:
                self._what[self._block_of(number)] = _FREE
            before = number

    def _seal_part(self):
        block, at, length = self._new[-1]
        whole = sum([part[2] for part in self._new]) + self._left
        parts = (whole + self.segment_size - 1) // self.segment_size
        self._stock = max(self._stock, parts)
        what = _SLOT + SLOTS.index(self._slot)
        self._seal(what, block, at - HEAD, len(self._new) - 1, max(1, parts), 0, length)

    def _seal(self, what, block, at, part, parts, number, length):
        """Program the head of what was put, which makes it true, and the foot behind it."""
        self._pages.flush()
        heads = self._heads
        for foot in (0, 1):
            heads.pack(foot, what, part, parts, self._sequence, number, length, self.wear[block])
            self._pages.go_to(block, at + foot * (HEAD + up(length, HEAD)))
            self._pages.put(heads.data, 0, HEAD)
            self._pages.flush()

    # --- the scan

    def _find_slot(self, what, slot):
        """Find the newest whole save of a slot; free the blocks of all others."""
        limit = self._sequence + 1
        parts: list = []
        while not parts:
            best = 0
            for block in range(self._count):
                if self._what[block] == what and best < self._key[block] < limit:
                    best = self._key[block]
            if not best:
                break
            limit = best
            parts = self._parts_of(what, best)
        for block in range(self._count):
            if self._what[block] == what:
                self._what[block] = _FREE
        if parts:
            self._keep(slot, parts)

    def _parts_of(self, what, sequence):
        """Return the save that begins with that sequence, or the last one behind it."""
        found: dict = {}
        wanted = 1
        for block in range(self._count):
            if self._what[block] == what and self._key[block] == sequence:
                at = self._heads.look(block)
                _, _, part, wanted, _, _, length, _ = self._heads.fields()
                found[part] = (block, at, length)
        if wanted - 1 in found:
            block, at, length = found[wanted - 1]
            later = self._heads.walk(block, at - HEAD + self._heads.room_of(length), False)
            if later:  # then the other parts' blocks may be in other use by now
                return [(block, later[0], later[1])]
        return [found[i] for i in range(wanted)] if len(found) == wanted else []
