"""The field buses' checksums against their published check values."""

from drivers import checksums

CHECK = b"123456789"


def test_published_check_values():
    assert checksums.crc16_modbus(CHECK, 0, 9) == 0x4B37
    assert checksums.crc16_x25(CHECK, 0, 9) ^ 0xFFFF == 0x906E
    assert checksums.crc16_modbus(CHECK, 0, 9, 0) == 0xBB3D  # CRC-16/ARC, the one of DSMR P1
    assert checksums.sum8(CHECK, 0, 9) == 0xDD
    assert checksums.xor8(CHECK, 0, 9) == 0x31


def test_tables_are_the_polynomials():
    for polynomial, crc_of in ((0xA001, checksums.crc16_modbus), (0x8408, checksums.crc16_x25)):
        for byte in range(256):
            crc = byte
            for _ in range(8):
                crc = (crc >> 1) ^ polynomial if crc & 1 else crc >> 1
            assert crc_of(bytes((byte,)), 0, 1, 0) == crc


def test_a_sum_may_be_taken_in_parts():
    for cut in range(10):
        for function in (checksums.crc16_modbus, checksums.crc16_x25):
            part = function(CHECK, 0, cut)
            assert function(CHECK, cut, 9, part) == function(CHECK, 0, 9)
