"""The session by HTTPS against a web server that fails on purpose, in virtual time."""

from agent import http
from agent.mac import Mac
from agent.poster import Poster
from agent.session import CLOSE, NOTHING
from tests.fakes.broker import pump
from tests.fakes.journal import MemoryJournal
from tests.fakes.web_collector import WebCollector

IDENTITY = {"gateway": "gw", "board": "host", "version": "1", "runtime": "x", "boot": 7}
GOOD = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 3\r\n\r\nabc"


def _make(count=0, size=20, collector=None, **settings):
    journal = MemoryJournal()
    journal.fill(count, size)
    settings["host"] = "collector.example"
    poster = Poster(settings, journal, IDENTITY, lambda n: n - 1)
    poster.birth = lambda: b'{"gateway": "gw"}'
    return poster, journal, collector or WebCollector()


def test_records_are_posted_once_in_order_and_trimmed():
    for count, size, posts in ((96, 0, 3), (96, 20, 3), (30, 500, 4), (8, 4000, 4)):
        poster, journal, web = _make(count, size)
        pump(poster, web, 1000)
        assert web.posts[0] == ("/v1/birth/gw", b'{"gateway": "gw"}')
        assert web.arrived == list(range(1, count + 1)) and journal.acked == count
        assert all(len(record) == size + 16 for record in web.stored.values())
        assert [path for path, _ in web.posts[1:]] == ["/v1/blocks/gw"] * posts


def test_an_answer_that_was_lost_is_asked_for_again_and_nothing_is_twice():
    poster, journal, web = _make(10)
    web.acks = False
    pump(poster, web, 0)
    assert journal.acked == 0 and web.arrived == list(range(1, 11))
    web.acks = True
    for at in range(0, 40000, 1000):
        pump(poster, web, at)
    assert journal.acked == 10 and sorted(web.stored) == list(range(1, 11))
    poster, journal, web = _make()
    pump(poster, web, 0)
    web.lose_answers = 1
    journal.fill(10)
    for at in range(0, 5000, 500):
        pump(poster, web, at)
    assert journal.acked == 10 and web.arrived == 2 * list(range(1, 11))


def test_a_collector_that_forgot_this_gateway_gets_its_birth_again():
    poster, journal, web = _make(3)
    pump(poster, web, 0)
    web.acks = False  # a new database: it answers 204
    web.stored.clear()
    journal.fill(1)
    pump(poster, web, 1)
    assert [path for path, _ in web.posts].count("/v1/birth/gw") == 2


def test_an_idle_connection_is_closed_and_opened_for_the_next_record():
    poster, journal, web = _make(3)
    for at in range(0, 600000, 1000):
        pump(poster, web, at)
    assert web.connections == 2  # opened once, closed once
    assert poster.state == "offline: idle"
    journal.fill(1)
    pump(poster, web, 600000)
    assert journal.acked == 4 and web.connections == 3
    assert poster.counters["sessions"] == 2


def test_a_server_that_closes_after_each_answer_is_no_failure():
    poster, journal, web = _make(100, 400)
    web.closes = True
    now = 0
    while journal.acked < 100 and now < 60000:
        pump(poster, web, now)
        now += 500
    assert journal.acked == 100 and web.arrived == list(range(1, 101))


def test_refusals_wait_by_their_consequence():
    for status, wait in ((503, 1000), (429, 1000), (403, 300000), (404, 300000), (301, 300000)):
        poster, journal, web = _make(1)
        web.status = status
        pump(poster, web, 0)
        assert poster.state == "offline: refused: status %d" % status
        assert poster.step(0) == wait and journal.acked == 0


def test_half_open_is_found():
    poster, journal, web = _make()
    pump(poster, web, 0)
    web.mute = True
    journal.fill(1)
    pump(poster, web, 1000)
    poster.step(20999)
    assert poster.action == NOTHING
    poster.step(21000)
    assert poster.action == CLOSE and poster.counters["half_open"] == 1


def test_an_acknowledgement_without_the_key_frees_nothing():
    key = bytes(range(32))
    text = "".join(["%02x" % b for b in key])
    poster, journal, web = _make(5, key=text)
    pump(poster, web, 0)
    assert journal.acked == 0 and poster.counters["acks_refused"] > 0
    web = WebCollector(tag=lambda body: Mac(key).tag(b"ackgw", body))
    poster, journal, web = _make(5, collector=web, key=text)
    pump(poster, web, 0)
    assert journal.acked == 5


def test_an_answer_nobody_asked_for_ends_the_connection():
    poster, _, web = _make()
    pump(poster, web, 0)
    poster.received(GOOD, 0, len(GOOD), 1)
    assert poster.action == CLOSE and poster.counters["malformed"] == 1


def test_a_long_birth_goes_in_parts():
    poster, journal, web = _make(1)
    poster.birth = lambda: b"x" * 30000
    pump(poster, web, 0)
    assert len(web.posts[0][1]) == 30000 and journal.acked == 1


def _answers(data, step=1):
    found = []
    take = lambda s, c, d, a, e: found.append((s, c, bytes(d[a:e])))  # noqa: E731
    reader = http.Reader(take, bytearray(256))
    for at in range(0, len(data), step):
        reader.feed(data, at, min(len(data), at + step))
    return found


def test_answers_are_read_at_any_split():
    data = (
        b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD + b"HTTP/1.1 204 No\r\nConnection: close\r\n\r\n"
    )
    for step in range(1, len(data) + 1):
        assert _answers(data, step) == [(200, False, b"abc"), (204, True, b"")]
    assert _answers(b"HTTP/1.1 403 No\r\n\r\n") == [(403, True, b"")]
    assert _answers(b"HTTP/1.0 200 OK\r\nX:" + b"y" * 500 + b"\nContent-Length: 0\r\n\r\n") == [
        (200, True, b"")
    ]


def test_what_is_not_expected_of_a_server_is_refused():
    head = b"HTTP/1.1 200 OK\r\n"
    for wrong in (
        b"\x20\x02\x00\x00\r\n",
        b"HTTP/2 200 OK\r\n",
        b"HTTP/1.1 abc OK\r\n",
        b"HTTP/1.1 999 OK\r\n",
        head + b"\r\n",
        head + b"Content-Length: 257\r\n\r\n",
        head + b"Content-Length: -1\r\n",
        head + b"Content-Length: 1\r\nContent-Length: 2\r\n",
        head + b"Transfer-Encoding: chunked\r\n",
        head + b"X: y\r\n" * 100,
    ):
        try:
            _answers(wrong)
        except http.Malformed:
            continue
        raise AssertionError(wrong)
