"""Finding the meters on an M-Bus by their secondary addresses.

Not a read-out (drivers/mbus.py). Source: EN 13757-3:2018, 11.5 (wildcard search): digits of the
identification are narrowed one by one wherever more than one meter answers.

    search = Search()
    length = search.request(out)             # until it is 0
    search.heard(data, start, end)           # what came until silence; empty: nobody
    search.found                             # "2408334524C50004": id, maker, version, medium
    search.collided                          # "24083345": several meters have this identification
"""

from drivers.errors import BadFrame
from drivers.mbus_link import ACK, LONG, Link, select_frame, short_frame


class Search:
    """One search: a walk over the digits of the identification, without I/O."""

    def __init__(self):
        self.found = []
        self.collided = []
        self.link = Link()  # its frame is the answer of the one that was found last
        self._masks = ["FFFFFFFF"]  # still to be tried, the last first
        self._is_reading = False

    @property
    def mask(self):
        """The digits that are asked for now, F for any; "" when all is searched."""
        return self._masks[-1] if self._masks else ""

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
        """Take what was on the line after the last request; return whether it found a meter.

        Nothing: no meter has these digits. One E5: read who it is. Anything else is several
        meters at once: each of the ten next digits is tried.
        """
        if start == end and not self._is_reading:
            self._masks.pop()
            return False
        link = self.link
        link.reset()
        kind = 0
        try:
            for i in range(start, end):
                kind = link.take(data[i], i + 1)
        except BadFrame:
            kind = 0
        frame = link.frame
        if not self._is_reading and kind == ACK and end - start == 1:
            self._is_reading = True
        elif (
            self._is_reading
            and kind == LONG
            and end - start == frame[1] + 6  # one answer, and nothing beside it
            and frame[6] == 0x72
            and frame[1] >= 15
        ):
            order = (10, 9, 8, 7, 11, 12, 13, 14)
            self.found.append("".join(["%02X" % frame[i] for i in order]))
            self._is_reading = False
            self._masks.pop()
            return True
        else:
            self._narrow()
        return False

    def _narrow(self):
        """Replace the mask by ten that have one digit more."""
        self._is_reading = False
        mask = self._masks.pop()
        at = mask.find("F")
        if at < 0:
            self.collided.append(mask)
            return
        for digit in "9876543210":
            self._masks.append(mask[:at] + digit + mask[at + 1 :])
