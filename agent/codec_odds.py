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
    "889692a0909e9ab88080808080808080586d6d7d808072685e557d736a607a70665d857b726880808080"
    "80808080808076767575757575757b7b7a7a7a7a7a7a80807e7e7e7e7e7e858583838383838380808080"
    "808080808080808080808080808080808080808080808080808080808080808080808080"
)
VALUE = bytes.fromhex(
    "707e7a88788682a08080808080808080586d6d7d808072685e557d736a607a70665d857b726880808080"
    "80808080808076767575757575757b7b7a7a7a7a7a7a80807e7e7e7e7e7e858583838383838380808080"
    "808080808080808080808080808080808080808080808080808080808080808080808080"
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
