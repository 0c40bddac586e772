"""Blocks of every version with the rows that are in them: what must decode for ever.

GOLDEN: (rows, clock, hex) of the version that is written, PACKED of the one that is written where
that is shorter; OLD: (rows, version, hex) of older ones.
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
_GOLDEN_PACKED = (
    "511a2b3c4d0203694b2d001e00202185f0f27920103c542c3c9ee5719020417080a3d70a3d61109fc741013a"
    "92a224746252fbb71758e1bcea6345955810624d25dc22732cf837b4a1d12a038af456d5cfa97a08abc1522f"
    "837b49fa461c41fd26e978d4c04c4de3a264c2f83743f8e140db3dd97f629c22d0b437be76c8b3b6983a42a8"
    "3f14120569a21fc88c703afb7d87fe8efa46b6ae7d552e640d0383bda5119c738211210a083126e9589e4a11"
    "caa3d70a3d391a668564ee631f8961caa0c00000000000000038f5fbe76c8b42dc005ad4a69eecbfb0cb2a9c"
    "17b9afb7e90f09f64c04a3694467378db4cfb05ea161e4f75a880004f7bc01a36d94b2cb96dfb573eab2928a"
    "b8a07a28f5c28f4d5e91649747ae147a52f69fa43daacd9e8360aec5045c6b50b0f1f48229960e16"
)
_GOLDEN_PACKED_GAPS = (
    "541a2b3c4d0203fedcba98019b4da7c8001400601d4c2185f22c792010208ce703afb3f81011020074a5ff67"
    "a0f908b1cc66d6e2f0a3d709e3f59bf4b53f2e48e8912b40989ca467381d7a476059d8cc985f06f5838005fc"
    "c346dc5d6370c011a48b361e4f764efd2ca0b898c7e28239dd008e47f15cfaacd8f204bb0dd302de00d1028a"
    "2d38e79cc63f13f5f9c406442ffffffff7be3354075d288ce702cb70d01aab2e48e8a6cb2c00005a8bfb15b5"
    "68f3c232303b780346d686362c00000000000000010c7800467381d6e3ec0677036594af4eb01b3274bfd3f7"
    "ced8ff4c80eb36daff"
)
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


def noise(count, step_ms, is_gappy):
    """Rows that a model makes no smaller: three points of even values, of the third only some."""
    dice = Dice(count)
    rows = []
    for i in range(count):
        values = [dice.below(4000) - 2000, (1 << 63) + dice.below(1 << 20) * 900719925474, None]
        quality = bytearray((0, 0, 1))
        if is_gappy and dice.below(4):
            values[2] = dice.below(2)
            quality[2] = 0
        rows.append((1766534400000 + step_ms * i, values, bytes(quality)))
    return rows


GOLDEN = (
    (day(24, 9), 1, _GOLDEN_DAY),
    (ROWS, 0, _GOLDEN_HARD),
    (even(300), 1, _GOLDEN_EVEN),
    ([((1 << 62) + 7 * i, [i], b"\0") for i in range(3)], 2, _GOLDEN_LATE),
)
# Version 5, which the writer takes where it is shorter.
PACKED = (
    (noise(30, 1000, False), 1, _GOLDEN_PACKED),
    (noise(20, 60_001, True), 0, _GOLDEN_PACKED_GAPS),
)
OLD = (
    (day(24, 9), 2, _GOLDEN_2_DAY),
    (list(ROWS), 2, _GOLDEN_2_HARD),
    (day(24, 9), 3, _GOLDEN_3_DAY),
    (list(ROWS), 3, _GOLDEN_3_HARD),
)
