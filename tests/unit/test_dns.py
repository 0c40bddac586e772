"""DNS packets and look-ups: published bytes, damage, aliases, silent and lying servers."""

from binascii import unhexlify

from agent import dns
from agent.names import Names, is_numeric
from tests.fakes.name_server import answer

HOST = "broker.example"
# The question of RFC 1035, 4.1.2, for this name, written out by hand.
QUESTION = unhexlify("1234010000010000000000000662726f6b6572076578616d706c650000010001")


def _query(number=0x1234):
    out = bytearray(dns.PACKET_BYTES)
    length = dns.make_query(out, HOST, number)
    return bytes(out[:length])


def _read(data, number=0x1234):
    return dns.read_answer(data, len(data), HOST, number)


def _raises(kind, data, number=0x1234):
    try:
        _read(data, number)
    except kind as error:
        return str(error)
    raise AssertionError("%s expected" % kind)


def test_a_question_is_written_as_the_standard_says():
    assert _query() == QUESTION
    for wrong in ("", ".", "a..b", "x" * 64 + ".example", "a." * 127 + "aa"):
        try:
            dns.make_query(bytearray(512), wrong, 1)
        except ValueError:
            continue
        raise AssertionError(wrong)


def test_addresses_come_with_the_least_time_to_live():
    records = [(HOST, 1, 600, "192.0.2.7"), (HOST, 1, 30, "192.0.2.8")]
    assert _read(answer(QUESTION, records)) == (["192.0.2.7", "192.0.2.8"], 30)
    assert _read(answer(QUESTION, records[:1], pointer=True)) == (["192.0.2.7"], 600)


def test_aliases_are_followed_in_any_order():
    records = [
        ("c.example", 1, 50, "192.0.2.9"),
        ("other.example", 1, 5, "192.0.2.1"),
        (HOST, 5, 70, "b.example"),
        ("B.example", 5, 60, "c.example"),
        (HOST, 28, 1, bytes(16)),
    ]
    assert _read(answer(QUESTION, records)) == (["192.0.2.9"], 50)
    loop = [(HOST, 5, 70, "b.example"), ("b.example", 5, 70, HOST)]
    assert "no IPv4" in _raises(dns.NoAddress, answer(QUESTION, loop))


def test_a_no_says_why():
    assert _raises(dns.NoAddress, answer(QUESTION, [], 3)) == "no such name"
    assert _raises(dns.NoAddress, answer(QUESTION, [], 2)) == "server failure"
    assert _raises(dns.NoAddress, answer(QUESTION, [], 9)) == "code 9"
    assert _raises(dns.NoAddress, answer(QUESTION, []))


def test_the_answer_to_another_question_is_foreign():
    good = answer(QUESTION, [(HOST, 1, 30, "192.0.2.7")])
    _raises(dns.Foreign, good, 0x1235)
    _raises(dns.Foreign, QUESTION)  # a question is no answer
    out = bytearray(64)
    length = dns.make_query(out, "evil.example", 0x1234)
    _raises(dns.Foreign, answer(bytes(out[:length]), [(HOST, 1, 30, "192.0.2.7")]))


def test_every_cut_and_every_flipped_bit_gives_one_of_two_errors_or_an_address():
    good = answer(QUESTION, [(HOST, 5, 9, "b.example"), ("b.example", 1, 9, "192.0.2.7")])
    for end in range(len(good)):
        _raises(dns.Foreign, good[:end])
    for bit in range(8 * len(good)):
        data = bytearray(good)
        data[bit // 8] ^= 0x80 >> bit % 8
        try:
            addresses, ttl_s = _read(data)
            assert len(addresses) == 1 and ttl_s >= 0
        except (dns.Foreign, dns.NoAddress):
            continue


def test_pointers_that_lead_forwards_or_in_circles_end():
    head = answer(QUESTION, [])[:6] + b"\x00\x01\x00\x00\x00\x00" + QUESTION[12:]
    for at in (len(head), len(head) + 1, 0x3FFF):
        _raises(dns.Foreign, head + bytes((0xC0 | at >> 8, at & 255)) + bytes(10))


def _look_up(names, reply, now_ms=0):
    lookup = names.begin(HOST)
    out = bytearray(dns.PACKET_BYTES)
    while True:
        length = lookup.request(out)
        if not length:
            return lookup
        data = reply(lookup.server, bytes(out[:length]))
        if data is None:
            lookup.failed("silent")
        else:
            lookup.answered(data, len(data), now_ms)


def test_numbers_and_this_computer_are_never_asked_for():
    names = Names(lambda n: 0, ["192.0.2.53"])
    assert names.find("192.0.2.1", 0) == "192.0.2.1" and names.find("localhost", 0) == "127.0.0.1"
    assert not is_numeric("192.0.2.256") and not is_numeric("1.2.3") and not is_numeric("a.b.c.d")


def test_each_server_is_asked_in_turn_and_twice():
    names = Names(lambda n: 0, ["a", "b"])
    asked = []
    lookup = _look_up(names, lambda server, query: asked.append(server))
    assert asked == ["a", "b", "a", "b"]
    try:
        lookup.address()
    except OSError as error:
        assert str(error) == "no address of broker.example: silent"
        return
    raise AssertionError("an address of nobody")


def test_without_a_name_server_the_reason_is_said():
    try:
        _look_up(Names(lambda n: 0), None).address()
    except OSError as error:
        assert "no name server is known" in str(error)
        return
    raise AssertionError("an address of nobody")


def test_an_address_holds_for_its_time_and_gives_way_when_it_fails():
    names = Names(lambda n: 77, ["a"])
    records = [(HOST, 1, 300, "192.0.2.7"), (HOST, 1, 300, "192.0.2.8")]
    assert names.find(HOST, 0) is None
    _look_up(names, lambda _, query: answer(query, records))
    assert names.find(HOST, 299999) == "192.0.2.7"
    names.failed(HOST)
    assert names.find(HOST, 299999) == "192.0.2.8"
    names.failed(HOST)
    assert names.find(HOST, 299999) is None
    _look_up(names, lambda _, query: answer(query, records), 299999)
    assert names.find(HOST, 300000) and names.find(HOST, 599999) is None


def test_while_no_server_answers_the_last_address_serves_on():
    names = Names(lambda n: 0, ["a"])
    _look_up(names, lambda _, query: answer(query, [(HOST, 1, 1, "192.0.2.7")]))
    assert names.find(HOST, 59999) == "192.0.2.7"  # a minute at least
    assert names.find(HOST, 60000) is None
    assert _look_up(names, lambda *_: None).address() == "192.0.2.7"
    assert names.failures == 1


def test_an_answer_to_an_older_question_is_not_taken():
    numbers = [1, 2]
    names = Names(lambda n: numbers.pop(0), ["a", "b"])
    lookup = names.begin(HOST)
    out = bytearray(dns.PACKET_BYTES)
    old = bytes(out[: lookup.request(out)])
    lookup.request(out)
    late = answer(old, [(HOST, 1, 30, "192.0.2.66")])
    assert not lookup.answered(late, len(late), 0)
    assert names.find(HOST, 0) is None


def test_what_was_found_is_the_address_and_each_round_waits_longer():
    names = Names(lambda n: 7, ["a", "b"])
    lookup = names.begin(HOST)
    out = bytearray(dns.PACKET_BYTES)
    waits = []
    for _ in range(4):
        length = lookup.request(out)
        waits.append((lookup.server, lookup.wait_ms))
    assert waits == [("a", 2000), ("b", 2000), ("a", 4000), ("b", 4000)]
    reply = answer(bytes(out[:length]), [(HOST, 1, 300, "192.0.2.7")])
    assert lookup.answered(reply, len(reply), 0) and lookup.address() == "192.0.2.7"
    assert lookup.request(out) == 0 and names.failures == 0


def test_a_no_ends_the_wait_for_this_server_alone():
    names = Names(lambda n: 7, ["a", "b"])

    def reply(server, query):
        if server == "a":
            return answer(query, [], 3)
        return answer(query, [(HOST, 1, 300, "192.0.2.7")])

    lookup = _look_up(names, reply)
    assert lookup.why == "no such name" and lookup.address() == "192.0.2.7"
    try:
        _look_up(Names(lambda n: 7, ["a"]), reply).address()
    except OSError as error:
        assert str(error) == "no address of broker.example: no such name"
    else:
        assert False


def test_a_name_that_cannot_be_asked_for_says_so():
    lookup = Names(lambda n: 7, ["a"]).begin("a..b")
    assert lookup.request(bytearray(dns.PACKET_BYTES)) == 0
    try:
        lookup.address()
    except OSError as error:
        assert "no address of a..b: " in str(error) and len(str(error)) > 20, error
    else:
        assert False
