"""A ground of agent/store.py in memory: for tests of the journal alone, and of rooms above it.

Keeps what a flash keeps; `cut` makes a new one as a power cut leaves it. `fail` is the number of
operations to come that raise OSError(EIO, "EIO").
"""

from errno import EIO

ENOSPC = 28  # absent from the errno of the unix port


class MemoryGround:
    """Segments and slots in dictionaries."""

    root = "/memory"
    erases = 1
    is_ready = False
    erased = hottest = 0
    blocks = 256
    is_estimate = True

    def __init__(self, segment_size=4096, small=128, room=1000):
        self.segment_size = segment_size
        self.small = small
        self.room = room
        self.files = {}
        self.slots = {}
        self.writes = 0
        self.fail = 0
        self.recovered = 0
        self._slot = None
        self._parts = b""
        self._length = 0

    def cut(self):
        """Return the ground that the next start finds."""
        other = MemoryGround(self.segment_size, self.small, self.room)
        other.files = dict(self.files)
        other.slots = dict(self.slots)
        return other

    def _operation(self):
        self.writes += 1
        if self.fail:
            self.fail -= 1
            raise OSError(EIO, "EIO")

    def open(self):
        self._operation()

    def segments(self):
        return sorted(self.files)

    def write_segment(self, number, data, start, end):
        self._operation()
        if len(self.files) >= self.room:
            raise OSError(ENOSPC, "ENOSPC")
        self.files[number] = bytes(data[start:end])

    def read_segment(self, number, out):
        return self._give(self.files.get(number, b""), out)

    def remove_segment(self, number):
        self._operation()
        self.files.pop(number, None)

    def begin(self, slot, length=0):
        self._operation()
        self._length = length
        self._slot = slot
        self._parts = b""

    def put(self, data, start, end):
        self._parts += bytes(data[start:end])

    def commit(self):
        self._operation()
        assert self._length in {0, len(self._parts)}, (self._length, len(self._parts))
        self.slots[self._slot] = self._parts

    def load(self, slot, out, at=0):
        return self._give(self.slots.get(slot, b"")[at : at + len(out)], out)

    def note_wear(self, erased):
        self.erased = erased

    def prepare(self):
        return False

    def renew(self):
        pass

    def recover(self):
        self.recovered += 1

    def _give(self, data, out):
        if self.fail:
            self._operation()
        out[0 : len(data)] = data
        return len(data)
