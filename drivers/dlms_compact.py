"""DLMS compact arrays written out as ordinary ones, so that one reader reads both.

Imported only when a meter sends one. Source: DLMS UA 1000-2 Ed. 10, 9.5 (compact-array), A-XDR.

    13 | type description | length | contents without tags
       12                   04       00 01 00 02              ->  01 02 | 12 00 01 | 12 00 02
"""

from drivers.dlms_items import SIZES

_TEXTS = (0x04, 0x09, 0x0A, 0x0C)  # each with a length of its own; bit-strings count bits
_DEPTH = 8


class _Writer:
    def __init__(self, data, end, most):
        self.data = data
        self.end = end
        self.most = most
        self.out = bytearray()

    def put(self, at, size):
        """Copy data[at:at + size]; return the place behind it."""
        if at + size > self.end or len(self.out) + size > self.most:
            raise ValueError("compact array ends early, or is longer than %d bytes" % self.most)
        self.out += self.data[at : at + size]
        return at + size

    def count(self, at):
        """Return (length, place behind it) of the length at `at`."""
        if at >= self.end:
            raise ValueError("compact array ends early")
        size = self.data[at]
        if size < 0x80:
            return size, at + 1
        count = size & 0x7F
        if not 0 < count < 3 or at + 1 + count > self.end:
            raise ValueError("length 0x%02x" % size)
        size = 0
        for i in range(at + 1, at + 1 + count):
            size = (size << 8) | self.data[i]
        return size, at + 1 + count

    def head(self, tag, count):
        """Write the head of an array or a structure; an array's count may be written again."""
        if tag == 2 and count < 0x80:
            self.out += bytes((tag, count))
        else:
            self.out += bytes((tag, 0x82, count >> 8, count & 0xFF))

    def item(self, at, depth=0):
        """Copy the tagged item at `at`; return the place behind it."""
        if at >= self.end or depth > _DEPTH:
            raise ValueError("data ends early or is too deep")
        tag = self.data[at]
        if tag == 0x13:
            return self.compact(at + 1)
        if tag in (1, 2):
            count, at = self.count(at + 1)
            self.head(tag, count)
            for _ in range(count):
                at = self.item(at, depth + 1)
            return at
        return self.value(tag, at + 1)

    def value(self, tag, at):
        """Write the tag of a simple type and copy its content at `at`."""
        self.out.append(tag)
        if tag in _TEXTS:
            size, content = self.count(at)
            if tag == 0x04:
                size = (size + 7) // 8
            return self.put(at, content - at + size)
        if tag not in SIZES:
            raise ValueError("tag 0x%02x in a compact array" % tag)
        return self.put(at, SIZES[tag])

    def compact(self, at):
        """Write the compact array whose type description is at `at`."""
        behind = self.skip(at, 0)
        size, first = self.count(behind)
        if first + size > self.end:
            raise ValueError("compact array of %d bytes ends early" % size)
        place = len(self.out)
        self.head(1, 0)
        count = 0
        element = first
        while element < first + size:
            begun = element
            _, element = self.element(at, element)
            count += 1
            if element == begun:
                raise ValueError("compact array of empty elements")
        if element != first + size:
            raise ValueError("compact array ends within an element")
        self.out[place + 2] = count >> 8
        self.out[place + 3] = count & 0xFF
        return element

    def skip(self, at, depth):
        """Return the place behind the type description at `at`."""
        if at >= self.end or depth > _DEPTH:
            raise ValueError("type description ends early or is too deep")
        tag = self.data[at]
        if tag == 1:
            return self.skip(at + 3, depth + 1)
        if tag != 2:
            return at + 1
        count, at = self.count(at + 1)
        for _ in range(count):
            at = self.skip(at, depth + 1)
        return at

    def element(self, kind, at):
        """Write the element at `at` of the type at kind, which skip() has been through.

        Return the places behind both.
        """
        if len(self.out) > self.most:
            raise ValueError("compact array is longer than %d bytes" % self.most)
        tag = self.data[kind]
        if tag == 1:
            count = (self.data[kind + 1] << 8) | self.data[kind + 2]
            self.head(1, count)
            behind = self.skip(kind + 3, 0)
            for _ in range(count):
                _, at = self.element(kind + 3, at)
            return behind, at
        if tag == 2:
            count, kind = self.count(kind + 1)
            self.head(2, count)
            for _ in range(count):
                kind, at = self.element(kind, at)
            return kind, at
        return kind + 1, self.value(tag, at)


def expand(data, at, end, most):
    """Return the item data[at:end] without compact arrays, at most `most` bytes (ValueError)."""
    writer = _Writer(data, end, most)
    writer.item(at)
    return writer.out
