"""The kernel of the block codec stays within small integers: 30 bits on a board's 32-bit words.

On MicroPython with 64-bit words this cannot fail; tests/on_32_bits.py runs it where it can.
"""

import sys

from agent.codec import Block, decode
from agent.codec_rows import Rows
from tests.skips import skip

_QUALITY = b"\0\0\0"


def _extremes(count):
    """Rows that swing over all that stays within one base, and over all that does not."""
    values = []
    for i in range(count):
        near = (i * 7919) % 0x3FFFFF - 0x1FFFFF
        values.append([near, -near if i & 1 else near, (i % 5) << 26 if i > count // 2 else i])
    return values


def test_the_kernel_makes_no_large_integer():
    if sys.implementation.name != "micropython":
        skip("the small integers that count are MicroPython's")
    from micropython import heap_lock, heap_unlock

    from agent.codec_plain import code

    def locked(state, slots, table, work, row, data, count, mode, values, lows):
        heap_lock()
        try:
            return code(state, slots, table, work, row, data, count, mode, values, lows)
        finally:
            heap_unlock()

    block = Block(3, 4000)
    kept = Rows.kernel.code
    Rows.kernel.code = locked
    try:
        block.open(b"\1\2\3\4", 0, 1, 0)
        rows = [(1766534400000 + 60000 * i, v, _QUALITY) for i, v in enumerate(_extremes(120))]
        for row in rows:
            assert block.add(*row)
        data = bytes(block.data[: block.seal()])
    finally:
        Rows.kernel.code = kept
    assert decode(data).rows == rows
