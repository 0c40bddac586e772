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
    "88bf50988840886850708040588080805080808080808080808080808080808080808080808080808080"
    "808080808080808080808080808080808080808080808080808080808080808080808080808080808080"
    "808080808080808080808080808080808080808080808080808080808080808080808080808080808080"
    "808080808080808080808080808080808080"
)
TIME = bytes.fromhex(
    "7d947a99897e73b877878080808080808080808080808080697c7f9c82808080808080808b8c80817e5c"
    "808080808080807c8080808078808080808080808080808065887d797b838080808080807c807f808380"
    "7e819093908e898480806e71747789848384798485878786808078726f837d8082878080808080808080"
    "7c7e787a8486868f80808080808080808489858587848483808080808080808080808080808080808080"
    "8080808080807f7e7f7b777b808280be"
)
VALUE = bytes.fromhex(
    "66757881797f828d798877807880807d7a857d7e767b6e785f7b78897678797c7a7b7a74878c81766f5a"
    "847e7a757c77746e90868888787b7776808080837b82787d7d827b7d79897c7b85827c87757a7b848988"
    "878a7b82858b878580806f79767d8c87848273757a828682808078777280858483847e78788281818080"
    "82887d7b898887868284827a828480807b7e7c8085828280797a7681848282817f7d787f82818182888a"
    "8685828181827e7c7c7b7a76747475be"
)


def table(least=6):
    """Return the chances of 1 (of 16384) by log odds in 32nds from -8, then 2 x 8 rates by age.

    least  chance of either answer; 32 in versions 2 and 3
    """
    made = array("H", bytes(2 * 528))
    odds = _SIXTYFOURTH
    for i in range(256):
        chance = (odds << 14) // (odds + _UNIT)
        made[256 + i] = min(chance, 16384 - least)
        made[255 - i] = max(16384 - chance, least)
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
