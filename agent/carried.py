"""What drivers must not forget over a power cut: totals of pulses, the last word of a contact.

Not a store of its own: it goes with the open blocks (agent/journal.py, save_open), which are
written every max_loss_s anyway, so it costs no erase. A power cut costs what was counted since.

    carried = Carried(meters)
    carried.restore(data)             # what a start found under PART
    parts.append(carried.part())
"""

from binascii import crc32
from struct import pack_into, unpack_from

from micropython import const

PART = const(255)  # where an open block has its meter's number
_ROW = const(12)  # crc of name and key u32, value u64


def _label(meter):
    text = meter.name + "\n" + meter.driver.carried_key
    return crc32(text.encode()) & 0xFFFFFFFF


class Carried:
    """The carried numbers of all drivers that have one."""

    def __init__(self, meters):
        self._meters = [m for m in meters if hasattr(m.driver, "carried")]
        self._data = bytearray(_ROW * len(self._meters))

    def part(self):
        """Return (PART, data, 0, end) for save_open(), None when no driver keeps anything."""
        if not self._meters:
            return None
        for i, meter in enumerate(self._meters):
            pack_into(">IQ", self._data, _ROW * i, _label(meter), meter.driver.carried)
        return PART, self._data, 0, len(self._data)

    def restore(self, data):
        """Give each driver its number back; rows of meters that are gone are passed over."""
        for at in range(0, len(data) - _ROW + 1, _ROW):
            label, value = unpack_from(">IQ", data, at)
            for meter in self._meters:
                if _label(meter) == label:
                    meter.driver.carried = value
