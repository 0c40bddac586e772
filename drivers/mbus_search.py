"""Finding the meters on an M-Bus by their secondary addresses.

Not a read-out (drivers/mbus.py). Source: EN 13757-3:2018, 11.5 (wildcard search): digits of the
identification are narrowed one by one wherever more than one meter answers.

    search = Search()
    length = search.request(out)             # until it is 0
    search.heard(data, start, end)           # what came until silence; empty: nobody
    search.found                             # "2408334524C50004": id, maker, version, medium
"""

from drivers.errors import BadFrame
from drivers.mbus_link import ACK, LONG, Link, select_frame, short_frame


class Search:
    """One search: a walk over the digits of the identification, without I/O."""

    def __init__(self):
        self.found = []
        self._masks = ["FFFFFFFF"]  # still to be tried, the last first
        self._is_reading = False

    def request(self, out):
        """Write the next request into out; return its length, 0 when all is searched."""
        if not self._masks:
            return 0
        if self._is_reading:
            return short_frame(out, 0x7B, 0xFD)
        mask = self._masks[-1]
        identity = bytes(int(mask[i : i + 2], 16) for i in (6, 4, 2, 0)) + b"\xff" * 4
        return select_frame(out, identity)

    def heard(self, data, start, end):
        """Take what was on the line after the last request.

        Nothing: no meter has these digits. One E5: read who it is. Anything else is several
        meters at once: each of the ten next digits is tried.
        """
        if start == end:
            if self._is_reading:  # an acknowledge, then silence: several, or a dead one
                self._narrow()
            else:
                self._masks.pop()
            return
        link = Link()
        kind = 0
        try:
            for i in range(start, end):
                kind = link.take(data[i], i + 1)
        except BadFrame:
            kind = 0
        if not self._is_reading and kind == ACK and end - start == 1:
            self._is_reading = True
        elif self._is_reading and kind == LONG and link.frame[6] == 0x72 and link.frame[1] >= 15:
            frame = link.frame
            order = (10, 9, 8, 7, 11, 12, 13, 14)
            self.found.append("".join("%02X" % frame[i] for i in order))
            self._is_reading = False
            self._masks.pop()
        else:
            self._narrow()

    def _narrow(self):
        """Replace the mask by ten that have one digit more."""
        self._is_reading = False
        mask = self._masks.pop()
        at = mask.find("F")
        if at >= 0:
            for digit in "9876543210":
                self._masks.append(mask[:at] + digit + mask[at + 1 :])
