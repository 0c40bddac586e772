"""Blocks of every version with the rows that are in them: what must decode for ever.

GOLDEN: (rows, clock, hex) of the version that is written; OLD: (rows, version, hex) of older ones.
"""

HASH = b"\x1a\x2b\x3c\x4d"
_GOLDEN_DAY = (
    "411a2b3c4d0203694b2d0a18d158484d85fc31e95381a6fd4c078d9c43c1ea9b9e3d75593160fd9560d4ddcd"
    "2728ad334e5bd5c81bbccb8442e03b5004a3ef5459de683b453887a5b4d5a62d0aabd51b734f1a"
)
_GOLDEN_HARD = (
    "401a2b3c4d0203fedcba98694b2d0003febb66e3e1859700000000001021a83b482769aa91e7ffffffffffca"
    "57c1cd973affffffffffff0d941fea0a523766ac91f9345200000000001576aac4"
)
_GOLDEN_EVEN = (
    "491a2b3c4d0201694b2d00012ce7d7475660a69e7b1de90a4dbc4a35408b020af412910b10abb8648ba5f441"
    "9996a2f3bd4e6836529c44169b9ad2c973d847addd6b5c61fba162c357a2b9f39aeb2abb1129cce2c40e9be2"
    "049be73c2dc16cbe664bde28a8527be72503047bc0889be771598e1300c56361033ab03f940e3eb4e7ef2fed"
    "bd5ffd20c1323461ddb2e9dc7e7c5183"
)
_GOLDEN_LATE = "461a2b3c4d0201ffffffffffff400000000000000003ff78f20ed24053"
_GOLDEN_3_DAY = (
    "311a2b3c4d0203694b2d0a18d158484d85fc31e95381a6fd4c078c94aecd951ea510a0a472a61b7ee5f26b8a"
    "5383c6fc9990201c11eeafe690dc01a215418c5dde0ec129dd969cfc1ead5d80b3b595f43c8923"
)
_GOLDEN_3_HARD = (
    "301a2b3c4d0203fedcba98694b2d0003febb66e3e1859700000000001021a83b482767d8ac3bffffffffffca"
    "5383e834e1ffffffffffff0c1ec8b8cd89e5540692a345000000000000c16ea1"
)
_GOLDEN_2_DAY = (
    "211a2b3c4d0203694b2d0a18cb5b7318584fe5890b035c6a9b6fa61378d01846f5edbf92a92fb80bf445ff0b"
    "1c8db0f019bb98127828e8958dcc35b9f6009ef0910405c1f52116837d2b335b784bf6c202d7"
)
_GOLDEN_2_HARD = (
    "201a2b3c4d0203fedcba98694b2d0003fe9693e1e9cb55ffffffffffffc94e41348492bb5fb300000000003e"
    "e56b208664000000000002dbf8bc6ceb7eb666c9ffffffffffff45ceca3ae0"
)
ROWS = (
    (1766534400000, [0, None, -(1 << 63)], bytes((0, 1, 0))),
    (1766534410001, [(1 << 64) - 1, 17, (1 << 64) - 1], bytes((7, 0, 0))),
    (1766534409000, [-5, None, -(1 << 63)], bytes((0, 4, 0))),
)


class Dice:
    """The same numbers on every runtime."""

    def __init__(self, seed):
        self._state = seed

    def below(self, limit):
        self._state = (self._state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._state >> 8) % limit


def day(count, seed):
    """Rows of a counter, a gauge that stands and moves, a state, with gaps and a jump."""
    dice = Dice(seed)
    at_ms = 1766534400000 + dice.below(2) * 7
    counter, gauge, state = 12345678901, 2300, 1
    rows = []
    for i in range(count):
        at_ms += 10000 + (dice.below(9) if i % 7 == 3 else 0)
        counter += 17 + dice.below(5)
        gauge += dice.below(21) - 10 if dice.below(3) else 0
        state = dice.below(3) if dice.below(9) == 0 else state
        values = [counter, gauge, state]
        quality = bytearray(3)
        if dice.below(20) == 0:
            values[1] = None
            quality[1] = 4
        if i == count // 2:
            counter += 1 << 40
            gauge -= 1 << 24
        rows.append((at_ms, values, bytes(quality)))
    return rows


def even(count):
    """Rows told as they are after some: noise, one value beyond it, then calm."""
    dice = Dice(11)
    rows = []
    for i in range(count):
        value = 1000 + (dice.below(8) if i < count - 60 else 3)
        rows.append((1766534400000 + 60000 * i, [value + 90 * (i == count - 80)], b"\0"))
    return rows


GOLDEN = (
    (day(24, 9), 1, _GOLDEN_DAY),
    (ROWS, 0, _GOLDEN_HARD),
    (even(300), 1, _GOLDEN_EVEN),
    ([((1 << 62) + 7 * i, [i], b"\0") for i in range(3)], 2, _GOLDEN_LATE),
)
OLD = (
    (day(24, 9), 2, _GOLDEN_2_DAY),
    (list(ROWS), 2, _GOLDEN_2_HARD),
    (day(24, 9), 3, _GOLDEN_3_DAY),
    (list(ROWS), 3, _GOLDEN_3_HARD),
)
