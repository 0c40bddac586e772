"""When an open block is sealed: old enough while records leave, full while they do not.

Not here: what a full block is (codec.py), what a seal does (app.py). A record of one reading is
46 bytes of eight quantities, a reading in a full block 4: so while records wait and the uplink is
not on line, or is behind by more than `ahead` of them, nobody is served by a small block. Then
blocks stay open, as far as the saves of the open blocks (every max_loss_s) may carry them along;
on line again the old ones are sealed at once. A power cut costs what it always does.
Figures, and what sealing small blocks anew would give instead: JOURNAL.md.
"""

from micropython import const

from drivers.ticks import ticks_add, ticks_diff

_DAY_MS = const(86400000)
_HELD_MAX = const(4000)  # bytes of all open blocks: a save of them is one erase, sometimes two
_SHARED = const(8192)  # bytes that all blocks together have room for: more than is held
_LEAST = const(224)


def block_bytes(size_bytes, meters):
    """Return what a block may have, of so many meters, where that of one may have size_bytes.

    Off line no more than _HELD_MAX stay open, so with many meters larger buffers are never full.
    """
    return min(size_bytes, max(_LEAST, _SHARED // max(1, meters)))


class Sealing:
    """Decides for each block of an App, whose seal() returns a block's length.

    open_bytes  of all open blocks, when they were saved last
    """

    def __init__(self, app, random):
        self._app = app
        self._random = random
        self._flush_ms = app.config["block"]["flush_s"] * 1000
        self._ahead = app.config["uplink"]["ahead"]
        self._at = [0] * len(app.blocks)  # tick at which each open block is old enough
        self.open_bytes = 0

    def opened(self, index, tick):
        """Note that a block began: it is old enough after flush_s, or up to an eighth earlier.

        A fleet whose meters are read at the same instants, or whose sessions began together,
        then does not send together.
        """
        early_ms = self._random(self._flush_ms // 8 + 1)
        self._at[index] = ticks_add(tick, self._flush_ms - early_ms)

    def is_behind(self):
        """Tell whether records wait that do not leave, or more than fit on the way."""
        journal = self._app.journal
        waiting = journal.next - journal.first
        return waiting > 0 and (self._app.uplink.state != "online" or waiting > self._ahead)

    def step(self, now_ms):
        """Seal what is old enough and need not wait; return how many blocks."""
        count = 0
        while True:
            index = self._oldest(now_ms)
            if index < 0 or (self.open_bytes <= _HELD_MAX and self.is_behind()):
                return count
            self.open_bytes = max(0, self.open_bytes - self._app.seal(index))
            count += 1

    def _oldest(self, now_ms):
        """Return the index of the block that is old enough for longest; -1: none is."""
        found = -1
        most_ms = 0
        for index, block in enumerate(self._app.blocks):
            over_ms = ticks_diff(now_ms, self._at[index])
            if over_ms > _DAY_MS:  # ticks wrap: never so old that it looks young again
                over_ms = _DAY_MS
                self._at[index] = ticks_add(now_ms, -_DAY_MS)
            if block.count and over_ms >= 0 and (found < 0 or over_ms > most_ms):
                found = index
                most_ms = over_ms
        return found
