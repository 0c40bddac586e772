"""The chain of SunSpec models: find the one wanted by walking from its marker.

Not here: the points of a model (maps/sunspec_*.py). Source: SunSpec Device Information Model
Specification V1.1: "SunS" at register 40000, 50000 or 0, then blocks of (id, length, data ...),
ended by id 0xFFFF. Addresses here are those on the wire, from 0.

    chain = Chain((103, 101), (40000, 50000, 0))
    chain.address                        # read two registers there, and say what came:
    chain.take(0x5375, 0x6E53)           # ... until chain.found or chain.failed
"""

from micropython import const

BASES = (40000, 50000, 0)
_MARK_HIGH = const(0x5375)  # "Su"
_MARK_LOW = const(0x6E53)  # "nS"
_MODELS = const(64)  # a chain longer than this runs in a circle


class Chain:
    """The walk: `address` is the next pair of registers to read until `found` or `failed`.

    found   true when `address` is the id register of a wanted model
    failed  true when no base has the marker, or the chain has no such model
    """

    def __init__(self, models, bases):
        self.models = models
        self.bases = bases
        self.start()

    def start(self):
        """Begin again at the first base."""
        self._base = 0
        self._marked = False
        self._seen = 0
        self.address = self.bases[0]
        self.found = self.failed = False

    def take(self, first, second):
        """Go on with the two registers read at `address`."""
        if not self._marked:
            if first == _MARK_HIGH and second == _MARK_LOW:
                self._marked = True
                self.address += 2
            else:
                self.refuse()
        elif first in self.models:
            self.found = True
        else:
            self._seen += 1
            self.address += 2 + second
            if first == 0xFFFF or self._seen > _MODELS or self.address > 0xFFFE:
                self.failed = True

    def refuse(self):
        """The registers at `address` cannot be read, or are no marker: try the next base."""
        self._base += 1
        if self._marked or self._base == len(self.bases):
            self.failed = True
        else:
            self.address = self.bases[self._base]
