"""One small good frame or more of each protocol, built here from the published specifications.

FRAMES["sml"]        # tuple of bytes: (frame, frame, ...)
close("sml", body)   # the same protocol's checksum put onto other bytes, to get past it
"""

from drivers.checksums import crc16_modbus, crc16_x25, sum8, xor8


def _fcs(data):
    crc = crc16_x25(data, 0, len(data)) ^ 0xFFFF
    return data + bytes((crc & 255, crc >> 8))


def dsmr(text):
    """Return the telegram of these lines, from the slash to before the exclamation mark."""
    text += b"!"
    return text + b"%04X\r\n" % crc16_modbus(text, 0, len(text), 0)


def sml(messages):
    """Return the transport of these messages; escapes in them are doubled."""
    fill = -len(messages) % 4
    inner = (b"\x1b" * 8).join((messages + bytes(fill)).split(b"\x1b\x1b\x1b\x1b"))
    data = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + inner + b"\x1b\x1b\x1b\x1b\x1a" + bytes((fill,))
    return _fcs(data)


def dlms(push):
    """Return the HDLC frame of this information field."""
    size = len(push) + 9
    return (
        b"\x7e"
        + _fcs(_fcs(bytes((0xA0 | size >> 8, size & 255)) + b"\x01\x21\x13") + push)
        + b"\x7e"
    )


def iec62056(body):
    """Return the read-out of these data sets, with identification and checksum."""
    body += b"!\r\n\x03"
    return b"/LGZ5id\r\n\x02" + body + bytes((xor8(body, 0, len(body)),))


def mbus(body):
    """Return the long frame of these bytes from the control field on, at most 255."""
    length = len(body)
    return bytes((0x68, length, length, 0x68)) + body + bytes((sum8(body, 0, length), 0x16))


def tic(group):
    """Return the standard frame of one group: label, tab, data."""
    group += b"\t"
    return b"\x02\n" + group + bytes(((sum(group) & 0x3F) + 0x20,)) + b"\r\x03"


def level(count):
    """Return the frame of two bytes of distance."""
    data = b"\xff" + count[:2]
    return data + bytes((sum(data) & 255,))


def radar(body):
    """Return the encoded message of these 16 bytes."""
    return b"\x02\x99" + (body + bytes(16))[:16] + b"\x03"


def edge(body):
    """Return the edges of input 1 whose levels and times are these bytes."""
    data = b"\x83\x00\x00"
    for i in range(0, len(body) - 1, 2):
        data += bytes((0x80 | body[i] & 1, body[i] >> 1 & 0x7F, body[i + 1] & 0x7F))
    return data


def modbus(body):
    """Return body with its checksum; a body that begins with 0 gets an MBAP header instead."""
    if body[0]:
        crc = crc16_modbus(body, 0, len(body))
        return body + bytes((crc & 255, crc >> 8))
    return bytes((0, 1, 0, 0, 0, len(body) - 1 & 255)) + body[1:]


CLOSE = {
    "modbus": modbus,
    "pulse": edge,
    "contact": edge,
    "radar": radar,
    "dsmr": dsmr,
    "sml": sml,
    "dlms": dlms,
    "iec62056": iec62056,
    "mbus": mbus,
    "tic": tic,
    "level": level,
}
_ENTRY = b"\x77\x07\x01\x00\x01\x08\x00\xff\x01\x01\x62\x1e\x52\xff\x55\x0a\x47\x1d\x53\x01"
_PAIR = b"\x02\x03\x09\x06\x01\x00\x01\x07\x00\xff\x06\x00\x00\x01\x18\x02\x02\x0f\xff\x16\x1b"
_HEADER = b"\x08\x05\x72\x78\x56\x34\x12\xc5\x14\x00\x04\x01\x00\x00\x00"
# What is inside the checksum of a good frame.
BODIES = {
    # requests and answers of unit 1, RTU, then TCP
    "modbus": (
        b"\x01\x04\x00\x00\x00\x02",
        b"\x01\x04\x04\x43\x67\xaf\x55",
        b"\x01\x04\x4c" + bytes((0x43, 0x66, 0x80, 0)) * 19,  # SDM120, its first block
        b"\x01\x04\x34" + bytes((0x7F, 0xC0, 0, 1)) * 13,
        b"\x01\x03\x04SunS",
        b"\x01\x03\x04\x00\x67\x00\x32",
        b"\x01\x03\x50" + bytes((0x80, 0, 0xFF, 0xFE)) * 20,
        b"\x01\x01\x01\x05",
        b"\x01\x02\x01\xff",
        b"\x01\x84\x02",
        b"\x01\x83\x06",
        b"\x01\x10\x00\x01\x00\x02",
        b"\x00\x01\x04\x00\x00\x00\x26",
        b"\x00\x01\x04\x4c" + bytes((0x43, 0x66, 0x80, 0)) * 19,
        b"\x00\x01\x84\x0b",
    ),
    "dsmr": (
        b"/XYZ5\\2A\r\n\r\n1-0:1.8.1(000034.034*kWh)\r\n1-0:1.7.0(01.193*kW)\r\n",
        b"/XYZ5\\2B\r\n\r\n0-0:1.0.0(200512135409S)\r\n0-1:24.2.1(101209110000W)(12785.123*m3)\r\n",
    ),
    "sml": (
        b"\x76\x02B\x62\x00\x62\x00\x72\x63\x07\x01\x77\x01\x02A\x01\x01\x71"
        + _ENTRY
        + b"\x01\x01\x63\x00\x00\x00",
    ),
    "dlms": (
        b"\xe6\xe7\x00\x0f\x40\x00\x00\x00\x00\x01\x01" + _PAIR,
        b"\xe6\xe7\x00\x0f\x40\x00\x00\x00\x0c\x07\xe6\x01\x18\x01\x12\x3a\x32\xff\x80\x00\x00"
        b"\x02\x01\x06\x00\x00\x12\x34",
        # a push list, a compact array, a block of its own
        b"\xe6\xe7\x00\x0f\x40\x00\x00\x00\x00\x02\x02\x01\x01\x02\x04\x12\x00\x03\x09\x06"
        b"\x01\x00\x01\x08\x00\xff\x0f\x02\x12\x00\x00\x06\x00\x43\x45\x60",
        b"\xe6\xe7\x00\x0f\x40\x00\x00\x00\x00\x13\x02\x02\x09\x12\x12\x06\x01\x00\x01\x07\x00\xff"
        b"\x00\x05\x06\x01\x00\x02\x07\x00\xff\x00\x06",
        b"\xe6\xe7\x00\xe0\x80\x00\x01\x00\x00\x1d\x0f\x40\x00\x00\x00\x00\x01\x01" + _PAIR,
    ),
    "iec62056": (
        b"0.0.0(12345)\r\n1.8.0(000285.4*kWh)\r\n9.4(088*C&082*C)\r\n",
        b"P.01(1220823161500)(08)(15)(2)(1.5)(kW)(2.5)(kW)\r\n(0.5)(0.1)\r\n(0.6)(0.2)\r\n",
    ),
    "mbus": (
        _HEADER + b"\x04\x06\xa0\x86\x01\x00\x0c\x14\x27\x04\x85\x02\x04\x6d\x17\x2e\xcc\x13",
        _HEADER + b"\x02\x5a\xe9\xff\x05\x2b\x00\x00\x20\x41\x0d\xfd\x0c\x03CBA\x0f\x01\x02\x03",
        _HEADER
        + b"\x44\x93\x3a\x01\x00\x00\x00\x06\x6d\x05\x17\x2e\xcc\x13\x00\x02\xfd\x17\xff\xff"
        b"\x01\x93\x15\x05\x02\xfc\x03\x48\x52\x25\x74\x39\x30\x0d\x7a\xe3\x01\x02\x03\x03\x6d\x05\x17\x0e",
        b"\x08\x05\x73\x78\x56\x34\x12\x0a\x00\xe9\x7e\x01\x00\x00\x00\x35\x01\x00\x00",
    ),
    "tic": (b"EAST\t011887649", b"SINSTS\t01200", b"STGE\t003A4401"),
    "radar": (
        b"\x32\x2a\x50\x0a\x1e\x0c\x8f\x06\x01\x00\x00\x10\x00\x00\x14\x1a",
        b"\x1e\x78\x00\x01\x02\x03\x04\x05\x02\x00\x00\x10\x00\x00\x14\x1a",
    ),
    "level": (b"\x07\xa1", b"\x00\x20"),
    "pulse": (b"\x02\x00\x03\x40\x04\x00\x05\x40", b"\x08\x00\x09\x01"),
    "contact": (b"\x02\x00\x13\x40", b"\x00\x40\x13\x40"),
}
FRAMES = {
    protocol: tuple(CLOSE[protocol](body) for body in bodies)
    for protocol, bodies in BODIES.items()
}
_PUSH = b"\x0f\x40\x00\x00\x00\x00\x01\x01" + _PAIR
# Other frames of a protocol, of another shape than CLOSE makes.
OTHERS = {
    "dlms": (
        mbus(b"\x53\xff\x10\x01\x67" + _PUSH),
        mbus(b"\x53\xff\x00\x01\x67" + _PUSH[:9]) + mbus(b"\x53\xff\x11\x01\x67" + _PUSH[9:]),
    ),
    "radar": (
        b"045\r\n047\r\n000\r\n",
        b"-031\r+040\r?000\r",
        b'{"speed":12.58, "direction":"inbound", "time":105, "tick":135}\r\n',
        b"CAR;2026-06-15 12:30:10;52;43\r\n",
    ),
    "tic": (b"\x02\nEA_s 0012345kWh %\r\nDATE 12/03/24 14/05/33 C\r\x03",),
    "level": (b"R1234\r",),
}
