"""MQTT packets against the byte layouts of the standard; every split, every bit flipped."""

from agent import mqtt


def _read(data, step=0, size=256):
    got = []
    reader = mqtt.Reader(size, lambda k, f, d, s, e: got.append((k, f, bytes(d[s:e]))))
    step = step or len(data)
    for at in range(0, len(data), step):
        reader.feed(data, at, min(at + step, len(data)))
    return got


def _is_malformed(data, size=256):
    try:
        _read(data, size=size)
    except mqtt.Malformed:
        return True
    return False


def test_connect_is_the_layout_of_section_3_1():
    out = bytearray(64)
    length = mqtt.connect(out, b"gw", 60, (b"u", b"p"), (b"w", b"x"))
    assert bytes(out[:length]) == (
        b"\x10\x1a\x00\x04MQTT\x04\xee\x00\x3c\x00\x02gw\x00\x01w\x00\x01x\x00\x01u\x00\x01p"
    )
    length = mqtt.connect(out, b"gw", 0)
    assert bytes(out[:length]) == b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02gw"


def test_publish_at_both_qualities():
    out = bytearray(32)
    assert bytes(out[: mqtt.publish(out, b"a/b", b"hi")]) == b"\x30\x07\x00\x03a/bhi"
    length = mqtt.publish(out, b"a/b", b"hi", 10, True)
    assert bytes(out[:length]) == b"\x33\x09\x00\x03a/b\x00\x0ahi"


def test_subscribe_and_ping():
    out = bytearray(32)
    assert bytes(out[: mqtt.subscribe(out, 1, (b"a", b"b"))]) == (
        b"\x82\x0a\x00\x01\x00\x01a\x00\x00\x01b\x00"
    )
    assert bytes(out[: mqtt.bare(out, mqtt.PINGREQ)]) == b"\xc0\x00"


def test_remaining_length_is_the_table_of_2_2_3():
    for length, wire in (
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16383, b"\xff\x7f"),
        (16384, b"\x80\x80\x01"),
        (268435455, b"\xff\xff\xff\x7f"),
    ):
        out = bytearray(4)
        assert mqtt.put_length(out, 0, length) == len(wire) == mqtt.length_size(length)
        assert bytes(out[: len(wire)]) == wire


def test_a_packet_beyond_the_buffer_is_refused():
    try:
        mqtt.publish(bytearray(10), b"topic", b"payload")
    except ValueError:
        return
    raise AssertionError("took it")


STREAM = (
    b"\x20\x02\x00\x00"
    b"\x90\x04\x00\x01\x00\x00"
    b"\x40\x02\x00\x07"
    b"\xd0\x00"
    b"\x30\x05\x00\x01aXY"
    b"\x31\x04\x00\x01aZ" + b"\x30\x83\x01\x00\x01b" + b"q" * 128
)


def test_every_split_gives_the_same_packets():
    whole = _read(STREAM)
    assert [packet[0] for packet in whole] == [2, 9, 4, 13, 3, 3, 3]
    assert whole[5] == (3, 1, b"\x00\x01aZ")
    for step in range(1, len(STREAM)):
        assert _read(STREAM, step) == whole


def test_what_a_broker_may_not_send_is_malformed():
    for data in (
        b"\x10\x00",  # CONNECT
        b"\x21\x02\x00\x00",  # reserved flags
        b"\x20\x03\x00\x00\x00",
        b"\x40\x01\x00",
        b"\x34\x05\x00\x01a\x00\x01",  # QoS 2
        b"\x36\x05\x00\x01a\x00\x01",  # QoS 3
        b"\x30\x01\x00",
        b"\x30\x03\x00\x02a",  # topic beyond the packet
        b"\x30\x02\x00\x00",  # no topic
        b"\x32\x05\x00\x01a\x00\x01",  # QoS 1: not what was subscribed
        b"\x32\x04\x00\x01a\x00",
        b"\x30\xff\xff\xff\xff",
        b"\x00\x00",
        b"\xf0\x00",
    ):
        assert _is_malformed(data), data
    assert _is_malformed(b"\x30\x80\x10", size=1024)
    assert not _is_malformed(STREAM)


def test_every_flipped_bit_and_noise_end_in_packets_or_malformed():
    for bit in range(8 * 40):
        damaged = bytearray(STREAM)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        _is_malformed(bytes(damaged))
    state = 1
    for _ in range(300):
        noise = bytearray()
        for _ in range(24):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            noise.append(state >> 16 & 0xFF)
        _is_malformed(bytes(noise))


def test_reading_allocates_nothing():
    import micropython

    reader = mqtt.Reader(256, _ignore)
    reader.feed(STREAM, 0, len(STREAM))
    micropython.heap_lock()
    try:
        reader.feed(STREAM, 0, len(STREAM))
    finally:
        micropython.heap_unlock()


def test_a_long_packet_has_memory_of_its_own_while_it_comes():
    got = []
    reader = mqtt.Reader(4096, lambda k, f, d, s, e: got.append((bytes(d[s:e]), len(d))), 64)
    text = b"\x00\x01a" + bytes(range(200))
    long = b"\x30" + bytes((len(text) & 0x7F | 0x80, len(text) >> 7)) + text
    for data in (b"\x40\x02\x00\x01", long, b"\x40\x02\x00\x02"):
        for i in range(len(data)):
            reader.feed(data, i, i + 1)
    assert got == [(b"\x00\x01", 64), (text, len(text)), (b"\x00\x02", 64)]
    reader.feed(long, 0, 100)
    reader.reset()  # the connection ended within it
    reader.feed(b"\x40\x02\x00\x03", 0, 4)
    assert got[3:] == [(b"\x00\x03", 64)]


def _ignore(kind, flags, data, start, end):
    """Take a packet and do nothing."""


def test_lengths_beyond_the_standard_and_the_buffer_are_refused_before_a_byte_is_written():
    out = bytearray(16)
    for attempt in (
        lambda: mqtt.length_size(-1),
        lambda: mqtt.length_size(268435456),
        lambda: mqtt.connect(out, b"a-name-too-long", 60),
        lambda: mqtt.subscribe(out, 1, (b"eclor/1/gw/ack",)),
    ):
        try:
            attempt()
        except ValueError:
            continue
        raise AssertionError("no error")
    assert bytes(out) == bytes(16) and mqtt.length_size(268435455) == 4


def test_nothing_of_what_the_buffer_held_is_sent():
    out = bytearray(b"\xff" * 64)
    length = mqtt.connect(out, b"gw", 0x0155)
    assert bytes(out[:length]) == b"\x10\x0e\x00\x04MQTT\x04\x02\x01\x55\x00\x02gw"
    out = bytearray(b"\xff" * 64)
    length = mqtt.subscribe(out, 0x0102, (b"a",))
    assert bytes(out[:length]) == b"\x82\x06\x01\x02\x00\x01a\x00"
    out = bytearray(b"\xff" * 300)
    length = mqtt.publish(out, b"a" * 256, b"p", 0x0304)
    assert bytes(out[:length]) == b"\x32\x85\x02\x01\x00" + b"a" * 256 + b"\x03\x04p"


def test_a_buffer_of_the_very_length_is_enough_and_one_byte_less_is_not():
    for work, size in (
        (lambda out: mqtt.publish(out, b"ab", b"xyz", 7), 11),
        (lambda out: mqtt.connect(out, b"gw", 60), 16),
        (lambda out: mqtt.subscribe(out, 7, (b"a",)), 8),
        (lambda out: mqtt.bare(out, mqtt.PINGREQ), 2),
    ):
        assert work(bytearray(size)) == size
        try:
            work(bytearray(size - 1))
        except ValueError as error:
            assert str(size - 1) in str(error)
        else:
            raise AssertionError("took it")


def test_a_packet_as_long_as_is_taken_is_taken():
    body = b"\x00\x01a" + b"q" * 61
    assert _read(b"\x30\x40" + body, size=64) == [(3, 0, body)]
    assert _is_malformed(b"\x30\x41" + body + b"q", size=64)
    assert _is_malformed(b"\x30\x00", size=64) and _is_malformed(b"\x30\x01\x01", size=64)
    assert _read(b"\x30\x03\x00\x01a") == [(3, 0, b"\x00\x01a")], "a topic and nothing else"
    long = b"\x01\x02" + b"t" * 258
    data = b"\x30" + bytes((len(long) & 127 | 128, len(long) >> 7)) + long
    assert _read(data, size=300) == [(3, 0, long)], "a topic of more than 255 bytes"
    short = b"\x01\x02" + b"t" * 257
    assert _is_malformed(b"\x30" + bytes((len(short) & 127 | 128, len(short) >> 7)) + short, 300)


def test_what_is_wrong_with_a_packet_is_said():
    for data, words in (
        (b"\x34\x05\x00\x01a\x00\x01", "PUBLISH of QoS 2, subscribed at 0"),
        (b"\x30\x03\x00\x02a", "PUBLISH with a topic of 2 bytes in 3"),
        (b"\x40\x01\x00", "packet kind 4: flags 0, 1 bytes"),
        (b"\xf0\x00", "packet kind 15 is not for a client"),
        (b"\x30\xff\x7f", "packet of 16383 bytes, 256 taken"),
    ):
        try:
            _read(data)
        except mqtt.Malformed as error:
            assert str(error) == words
        else:
            raise AssertionError(words)
