"""Blocks come back exactly, and damage is always noticed."""

from agent.codec import BadBlock, Block, decode

HASH = b"\x1a\x2b\x3c\x4d"
ROWS = (
    (1766534400000, [0, None, -(1 << 63)], bytes((0, 1, 0))),
    (1766534410001, [(1 << 64) - 1, 17, (1 << 64) - 1], bytes((7, 0, 0))),
    (1766534409000, [-5, None, -(1 << 63)], bytes((0, 4, 0))),
)


def _block():
    block = Block(3, 256)
    block.open(HASH, 2, 1, 0xFEDCBA98)
    for row in ROWS:
        assert block.add(*row)
    return block


def test_rows_come_back_exactly():
    block = _block()
    found = decode(bytes(block.data[: block.seal()]))
    assert (found.config_hash, found.meter, found.clock, found.boot) == (HASH, 2, 1, 0xFEDCBA98)
    assert tuple(found.rows) == ROWS


def test_version_1_still_decodes():
    data = (
        b"\x01abcd\x00\x01\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x03\xe8\x00\x01\x01\x00\x01\x06"
    )
    from binascii import crc32

    data += (crc32(data) & 0xFFFFFFFF).to_bytes(4, "big")
    assert decode(data).rows == [(1000, [3], b"\x00")]


def test_every_flipped_bit_and_every_cut_is_noticed():
    block = _block()
    good = bytes(block.data[: block.seal()])
    damaged = [good[:n] for n in range(len(good))]
    for i in range(len(good) * 8):
        bad = bytearray(good)
        bad[i >> 3] ^= 1 << (i & 7)
        damaged.append(bytes(bad))
    for data in damaged:
        try:
            decode(data)
        except BadBlock:
            continue
        raise AssertionError("accepted damage")


def test_a_full_block_refuses_and_stays_whole():
    block = Block(3, 128)
    block.open(HASH, 0, 1, 1)
    count = 0
    while block.add(count * 1000, [count, 1, None], bytes((0, 0, 1))):
        count += 1
    assert count > 2
    assert len(decode(bytes(block.data[: block.seal()])).rows) == count


def test_a_snapshot_continues_as_if_nothing_had_happened():
    block, twin, out = _block(), Block(3, 256), bytearray(300)
    twin.restore(out, 5, block.snapshot(out, 5))
    row = (1766534500000, [1, 2, 3], bytes(3))
    assert block.add(*row) and twin.add(*row)
    assert block.data[: block.seal()] == twin.data[: twin.seal()]
