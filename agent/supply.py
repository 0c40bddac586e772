"""The voltage that the board lives on: below a limit no erase of the flash is begun.

Not here: the pin and its divider (the board's `supply`, firmware/hal/chip.py). An erase that the
supply gives up in leaves bits that read so and so; so below `power.low_mv` the journal lives in
RAM as if the flash had failed, the oldest goes when that is full, and is declared. It goes on
when the supply is 5 % above the limit. Loaded only where the board has such a pin and a limit is
set; count_brownouts() after a brown-out.

    supply = Supply(hal.supply_mv, 3300)
    change = supply.step(now_ms)            # "supply_low", "supply_ok", or "": nothing new
"""

from micropython import const

from drivers.ticks import ticks_diff

SLOT = "brownouts"
_EVERY_MS = const(5_000)
_MOST = const(0xFFFFFFFF)


class Supply:
    """read_mv: callable() -> mV now. low_mv: the limit.

    mv      of the last look; is_low: no erase is to be begun; times: it became so, in this life
    """

    def __init__(self, read_mv, low_mv):
        self._read_mv = read_mv
        self._low_mv = low_mv
        self._looked_ms = None
        self.mv = 0
        self.is_low = False
        self.times = 0

    def step(self, now_ms):
        """Look now and then; return what has changed, as an event's name, "" when nothing."""
        if self._looked_ms is not None and ticks_diff(now_ms, self._looked_ms) < _EVERY_MS:
            return ""
        self._looked_ms = now_ms
        self.mv = self._read_mv()
        limit_mv = self._low_mv * 21 // 20 if self.is_low else self._low_mv
        is_low = self.mv < limit_mv
        if is_low == self.is_low:
            return ""
        self.is_low = is_low
        self.times += is_low
        return "supply_low" if is_low else "supply_ok"


def count_brownouts(ground):
    """Count one more and return how many there were, this one included; ground: Files."""
    data = bytearray(4)
    count = 1
    try:
        ground.open()
        if ground.load(SLOT, data) == 4:
            count = min(int.from_bytes(data, "big"), _MOST - 1) + 1
        ground.begin(SLOT, 4)
        ground.put(count.to_bytes(4, "big"), 0, 4)
        ground.commit()
    except OSError:
        pass  # it is in this boot record all the same
    return count
