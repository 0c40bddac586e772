"""Programs bytes into erased flash: in whole program units, a page at a time, each read back.

Not here: which block, and what the bytes mean (ring.py).

    pages.go_to(block, 32)
    pages.put(data, 0, 900)
    pages.flush()               # now it is on the flash, or OSError was raised
"""

from errno import EIO

from micropython import const

_PAGE = const(256)


class Pages:
    """One place on the device where bytes are being programmed.

    device        writeblocks(block, buffer, offset) that never erases, readblocks
    program_size  bytes of the smallest program, a divisor of 256
    failed        the block that last read back otherwise than programmed, -1: none
    """

    def __init__(self, device, program_size):
        self.failed = -1
        self._device = device
        self._unit = program_size
        self._page = bytearray(b"\xff" * _PAGE)
        self._check = bytearray(_PAGE)
        self._block = 0
        self._base = 0  # offset in the block of _page[0]
        self._low = self._high = 0  # what of _page waits to be programmed

    def go_to(self, block, at):
        """Put the next bytes at offset `at` of a block; what waited is forgotten."""
        for i in range(self._low, self._high):
            self._page[i] = 0xFF
        self._block = block
        self._low = self._high = at % _PAGE
        self._base = at - self._low

    @property
    def at(self):
        """The offset in the block where the next byte goes."""
        return self._base + self._high

    def put(self, data, start, end):
        """Add data[start:end], which may not reach beyond the block."""
        source = memoryview(data)
        while start < end:
            count = min(end - start, _PAGE - self._high)
            self._page[self._high : self._high + count] = source[start : start + count]
            self._high += count
            start += count
            if self._high == _PAGE:
                self.flush()

    def flush(self):
        """Program what waits. Raises OSError when the flash refuses it or holds something else.

        The rest of a unit is programmed as 0xff, which changes nothing: a page of 256 bytes may
        so be programmed several times, each byte of it once.
        """
        low, high = self._low, self._high
        if low == high:
            return
        first = low - low % self._unit
        last = high + -high % self._unit
        page = memoryview(self._page)[first:last]
        check = memoryview(self._check)[first:last]
        self._device.writeblocks(self._block, page, self._base + first)
        self._device.readblocks(self._block, check, self._base + first)
        if check[low - first : high - first] != page[low - first : high - first]:
            self.failed = self._block
            raise OSError(EIO, "EIO")
        self.go_to(self._block, self._base + high)
