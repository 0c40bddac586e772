"""Every listening and asking driver, fed each of the project's own vectors in every way."""

import sys

from drivers.checksums import crc16_modbus, crc16_x25, sum8, xor8
from drivers.dlms import DLMS
from drivers.dsmr import DSMR
from drivers.iec62056 import IEC62056
from drivers.mbus import MBus
from drivers.sml import SML
from tests.fakes.feeding import feed_every_way

_BUDGET = 60_000 if sys.implementation.name == "micropython" else 0


def _both(driver, points, data, options=None):
    """Feed data to the driver without and with a map."""
    table = {"protocol": "", "points": points}
    options = options or {}
    feed_every_way(lambda: driver(None, {}), data, True, _BUDGET, driver is IEC62056)
    feed_every_way(lambda: driver(table, options), data, True, _BUDGET)


def test_a_p1_telegram():
    text = b"/XYZ5\\2A\r\n\r\n1-0:1.8.1(000034.034*kWh)\r\n1-0:1.7.0(01.193*kW)\r\n!"
    data = text + b"%04X\r\n" % crc16_modbus(text, 0, len(text), 0)
    _both(DSMR, (("energy", "Wh", 0, "counter", "1-0:1.8.1"),), data, {"crc": True})


def test_a_p1_telegram_without_checksum():
    data = b"/XYZ5A\r\n\r\n1-0:1.8.1(00608.400*kWh)\r\n0-0:17.0.0(999*A)\r\n!\r\n"
    feed_every_way(lambda: DSMR(None, {}), data, False, _BUDGET)


def test_an_sml_telegram():
    entry = b"\x77\x07\x01\x00\x01\x08\x00\xff\x01\x01\x62\x1e\x52\xff\x55\x0a\x47\x1d\x53\x01"
    body = b"\x77\x01\x02A\x01\x01\x71" + entry + b"\x01\x01"
    data = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01\x76\x02B\x62\x00\x62\x00\x72\x63\x07\x01" + body
    data += b"\x63\x00\x00\x00"
    fill = -len(data) % 4
    data += b"\x00" * fill + b"\x1b\x1b\x1b\x1b\x1a" + bytes((fill,))
    crc = crc16_x25(data, 0, len(data)) ^ 0xFFFF
    data += bytes((crc & 255, crc >> 8))
    _both(SML, (("energy", "Wh", -1, "counter", "1-0:1.8.0"),), data)


def test_a_dlms_push():
    def fcs(data):
        crc = crc16_x25(data, 0, len(data)) ^ 0xFFFF
        return data + bytes((crc & 255, crc >> 8))

    pair = b"\x02\x03\x09\x06\x01\x00\x01\x07\x00\xff\x06\x00\x00\x01\x18\x02\x02\x0f\xff\x16\x1b"
    push = b"\xe6\xe7\x00\x0f\x40\x00\x00\x00\x00\x01\x01" + pair
    head = fcs(bytes((0xA0, len(push) + 9)) + b"\x01\x21\x13")
    data = b"\x7e" + fcs(head + push) + b"\x7e"
    _both(DLMS, (("power", "W", 0, "gauge", "1-0:1.7.0"),), data)


def test_a_read_out_with_checksum():
    body = b"1.8.0(000285.4*kWh)\r\n9.4(088*C&082*C)\r\n!\r\n\x03"
    data = b"/LGZ5id\r\n\x02" + body + bytes((xor8(body, 0, len(body)),))
    _both(IEC62056, (("energy", "Wh", 2, "counter", "1.8.0"),), data, {"mode": "D"})


def test_a_pushed_read_out_without_checksum():
    data = b"/EMH5id\r\n\r\n1.8.0(000285.4*kWh)\r\n2.8.0(1*kWh)\r\n!\r\n"
    feed_every_way(lambda: IEC62056(None, {}), data, False, _BUDGET, True)


def test_an_m_bus_answer():
    body = b"\x08\x05\x72\x78\x56\x34\x12\xc5\x14\x00\x04\x01\x00\x00\x00\x04\x06\xa0\x86\x01\x00"
    length = len(body)
    data = bytes((0x68, length, length, 0x68)) + body + bytes((sum8(body, 0, length), 0x16))
    feed_every_way(lambda: MBus(None, {}), data, True, _BUDGET)


def test_an_m_bus_answer_with_fixed_data():
    body = b"\x08\x05\x73\x78\x56\x34\x12\x0a\x00\xe9\x7e\x01\x00\x00\x00\x35\x01\x00\x00"
    length = len(body)
    data = bytes((0x68, length, length, 0x68)) + body + bytes((sum8(body, 0, length), 0x16))
    feed_every_way(lambda: MBus(None, {}), data, True, _BUDGET)
