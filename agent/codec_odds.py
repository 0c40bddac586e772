"""What the block codec knows before the first reading: how sure, and how fast it learns.

Part of the format: a change of any number here is a new version. FORMAT.md says what a slot is.
Log odds are in 1024ths, 4096 added, times 8, and how often they were asked, up to 7; the literals
below are in 16ths, 128 added.
"""

from array import array

_UNIT = 1 << 40
_THIRTYSECOND = 1134413873426  # e ** (1 / 32)
_SIXTYFOURTH = 1116826416478  # e ** (1 / 64)

# What one answer moves the odds by, in 1024ths for a chance of 1: asked 0, 1 .. 7 times before.
RATES = (757, 512, 407, 348, 311, 266, 231, 182, 403, 266, 208, 175, 155, 130, 110, 84)

SHARED = bytes.fromhex(
    "88bf50988840886880788080808080805080808080808080808080808080808080808080808080808080"
    "808080808080808080808080808080808080808080808080808080808080808080808080808080808080"
    "808080808080808080808080808080808080808080808080808080808080808080808080808080808080"
    "808080808080808080808080808080808080"
)
TIME = bytes.fromhex(
    "819f7fa29b9771ba788680808080808072767d9a929c72685e527d736a607a70665c857b72687e808080"
    "6f7f8a788080838d8c8c8b8c8c947d8787838586838f82827f7f8181818d818885818482868d878d8d8d"
    "8d8d8d9080808080808080808080808080808080808080808080808080807b81728e6a7e"
)
VALUE = bytes.fromhex(
    "648276887a807698798479837a817e785379779388917770664977716d60756f695d7b7a736b7e857c7e"
    "7b827f80798677818989898a89946f747c828384858e7b797b828486868e888a8787888688907e828688"
    "8a8a8a8d7a7d82858686868b827f83858386868a8989898a89898a9080807477757b7479"
)


def table():
    """Return the chances of 1 (of 16384) by log odds in 32nds from -8, then 2 x 8 rates by age."""
    made = array("H", bytes(2 * 528))
    odds = _SIXTYFOURTH
    for i in range(256):
        chance = (odds << 14) // (odds + _UNIT)
        made[256 + i] = min(chance, 16352)
        made[255 - i] = max(16384 - chance, 32)
        odds = odds * _THIRTYSECOND >> 40
    for age in range(16):
        made[512 + age] = RATES[age]
    return made


def odds():
    """Return the slots a block begins with: its own, those of time steps, those of a point."""
    return _slots(SHARED), _slots(TIME), _slots(VALUE)


def _slots(text):
    made = array("H", bytes(2 * len(text)))
    for i in range(len(text)):
        made[i] = (4096 + (text[i] - 128) * 64) << 3
    return made
