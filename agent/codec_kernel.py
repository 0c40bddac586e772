"""What all blocks of a gateway share: the kernel, its tables, and the error of a damaged block.

Not the kernel itself (codec_plain.py, codec_viper.py), nor what is done with it (codec_rows.py).
"""

from array import array

from micropython import const

from agent import forget

_BIAS = const(0x20000000)
_GUESSES = const(5)
_MEAN = const(7)
_MEAN_FIRST = const(40)
_CHANNEL = const(33)
# Words of a channel that begin at 0 (codec_plain.py): x1, x2, c2, c3, level, trend, slow mean,
# step, the one before, sum_y, scores, floor, least, most.
_NONE_YET = (0, 1, 2, 3, 4, 5, 6, 14, 15, 19, 26, 27, 30, 31, 32)


class BadBlock(Exception):
    """The bytes are not a whole block: keep them aside, do not decode further."""


def bit_length(number):
    """Return how many bits a number from 0 on has."""
    size = 0
    while number >> size:
        size += 1
    return size


def sections(count, size):
    """Return count arrays of size bytes, in one piece of memory."""
    whole = memoryview(bytearray(count * size))
    return [whole[i : i + size] for i in range(0, count * size, size)]


def _load_kernel():
    """Return codec_viper's code() where it can run, else codec_plain's: the same bytes."""
    try:
        from agent.codec_viper import code
    except (ImportError, AttributeError, SyntaxError, ValueError, MemoryError):
        from agent.codec_plain import code
    return code


class Kernel:
    """What every block of a gateway shares: the kernel, its table, the odds a block begins with.

    Made by the first Rows, kept in Rows.kernel; a host may put a faster `code` in.
    """

    def __init__(self):
        self.code = _load_kernel()
        from agent.codec_odds import odds, table

        self.table = table()
        self.shared, self.time, self.value = odds()
        self.work = array("I", bytes(4 * _GUESSES))
        self.blank = array("I", bytes(4 * _CHANNEL))  # a channel that stands still at 0
        for i in _NONE_YET:
            self.blank[i] = _BIAS
        self.blank[_MEAN] = _MEAN_FIRST
        # Read once: the module's 2 KB go.
        forget("codec_odds")

    def words(self, count):
        """Return count zeroed words, as code() takes them; a host may give other arrays."""
        return array("I", bytes(4 * count))

    def slots(self, count):
        """Return count zeroed slots."""
        return array("H", bytes(2 * count))
