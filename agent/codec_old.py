"""Blocks of format version 1 -> rows: what gateways sealed before version 2 (agent/FORMAT.md).

Only read, never written. codec.py has the way in: decode().
"""

from micropython import const

from agent.codec_rows import BadBlock

HEAD = const(22)  # version, config hash, meter, clock, boot, time base, count, points
_VARINT_MAX = const(10)  # a zigzag of 65 bits
_MAX_VALUE = (1 << 64) - 1
_MIN_VALUE = -(1 << 63)


def read_old(block, data, end):
    """Fill block from data[:end], whose check sum is right. Raises BadBlock."""
    if end < HEAD:
        raise BadBlock("%d bytes of version 1, it has at least %d" % (end, HEAD))
    block.clock = data[6]
    block.boot = int.from_bytes(bytes(data[7:11]), "big")
    block.points = data[21]
    at_ms = int.from_bytes(bytes(data[11:19]), "big")
    count = int.from_bytes(bytes(data[19:21]), "big")
    last = [0] * block.points
    at = HEAD
    for _ in range(count):
        step, at = _get_varint(data, at, end)
        at_ms += step
        values: list = [None] * block.points
        quality = bytearray(block.points)
        for i in range(block.points):
            if at >= end:
                raise BadBlock("row ends beyond the block")
            mark = data[at]
            at += 1
            quality[i] = mark >> 1
            if mark & 1:
                step, at = _get_varint(data, at, end)
                last[i] += step
                if not _MIN_VALUE <= last[i] <= _MAX_VALUE:
                    raise BadBlock("value beyond 64 bits")
                values[i] = last[i]
        block.rows.append((at_ms, values, bytes(quality)))
    if at != end:
        raise BadBlock("%d bytes after the last row" % (end - at))


def _get_varint(data, at, end):
    value = shift = 0
    while True:
        if at >= end or shift >= 7 * _VARINT_MAX:
            raise BadBlock("number cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return ((value >> 1) if not value & 1 else -((value + 1) >> 1)), at
