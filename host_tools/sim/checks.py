"""Checksums of simulated meters and their witnesses, bit by bit and with nothing of drivers/."""


def crc16(data: bytes, polynomial: int, crc: int) -> int:
    """Return the reflected CRC-16 of data; polynomial: reflected too; crc: its initial value."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
    return crc


def x25(data: bytes) -> bytes:
    """Return the frame check of HDLC and SML, low byte first (ISO/IEC 13239)."""
    return (crc16(data, 0x8408, 0xFFFF) ^ 0xFFFF).to_bytes(2, "little")


def p1_crc(data: bytes) -> bytes:
    """Return the four digits of a P1 telegram's check (DSMR P1 5.0.2, 5.2)."""
    return b"%04X" % crc16(data, 0xA001, 0)


def bcc(data: bytes) -> int:
    """Return the block check of IEC 62056-21, 6.1: all bytes, exclusive or."""
    total = 0
    for byte in data:
        total ^= byte
    return total
