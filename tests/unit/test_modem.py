"""Dialling a cellular modem that fails on purpose; a PIN is never risked."""

from agent.modem import CONNECTED, DIALS, FAILED, REFUSED, Modem
from tests.fakes.modem import FakeModem


def _dial(fake, seconds=200, piece=1000, noise=b""):
    modem = Modem("iot.example")
    out = bytearray(64)
    for now in range(0, seconds * 1000, 250):
        length = modem.step(out, now)
        answer = fake.take(bytes(out[:length])) if length else noise
        for at in range(0, len(answer), piece):
            part = answer[at : at + piece]
            modem.received(part, 0, len(part), now)
        if modem.state != DIALS:
            break
    return modem


def test_it_dials_in_the_order_of_the_standard():
    for piece in (1, 2, 7, 1000):
        fake = FakeModem()
        modem = _dial(fake, piece=piece)
        assert modem.state == CONNECTED and fake.is_online, modem.why
        assert modem.signal == -79
        assert fake.heard[:4] == ["AT", "ATE0", "AT+CPIN?", "AT+CSQ"]
        assert fake.heard.count("AT+CREG?") == 3
        assert fake.heard[-2:] == ['AT+CGDCONT=1,"IP","iot.example"', "ATD*99#"]


def test_a_modem_that_starts_is_waited_for_and_an_absent_one_given_up():
    fake = FakeModem()
    fake.deaf = 6
    assert _dial(fake).state == CONNECTED
    fake.deaf = 1000
    modem = _dial(fake)
    assert modem.state == FAILED and modem.why == "no answer to AT"


def test_a_card_that_asks_for_a_pin_is_refused_and_never_given_one():
    for said in (b"SIM PIN", b"SIM PUK", b"NOT INSERTED", b"\xff\xfe"):
        fake = FakeModem()
        fake.wrong["AT+CPIN?"] = b"\r\n+CPIN: " + said + b"\r\n\r\nOK\r\n"
        modem = _dial(fake)
        assert modem.state == REFUSED and modem.why
        assert not [c for c in fake.heard if c.startswith("AT+CPIN=")]


def test_a_network_that_never_comes_or_refuses():
    fake = FakeModem()
    fake.looks = 1000
    modem = _dial(fake)
    assert modem.state == FAILED and modem.why == "no network"
    fake = FakeModem()
    fake.wrong["AT+CREG?"] = b"\r\n+CREG: 0,3\r\n\r\nOK\r\n"
    assert _dial(fake).state == REFUSED


def test_errors_and_lost_lines_end_the_attempt():
    for command, said in (
        ("ATD*99#", b"\r\nNO CARRIER\r\n"),
        ("ATD*99#", b"\r\nBUSY\r\n"),
        ("ATD*99#", b""),
        ('AT+CGDCONT=1,"IP","iot.example"', b"\r\nERROR\r\n"),
        ("AT+CPIN?", b"\r\n+CME ERROR: 10\r\n"),
        ("AT+CREG?", b"\r\n+CREG: \r\n\r\nOK\r\n"),
    ):
        fake = FakeModem()
        fake.wrong[command] = said
        modem = _dial(fake, 400)
        assert modem.state == FAILED and modem.why, (command, said)


def test_what_it_says_of_its_own_accord_and_noise_change_nothing():
    fake = FakeModem()
    fake.chatter = b"\r\nRING\r\n\r\n+CMTI: 1,1\r\n"
    assert _dial(fake).state == CONNECTED
    assert _dial(FakeModem(), noise=b"\x00\xff\r\nOK\r\nCONNECT\r\n" + b"x" * 300).state != REFUSED
    modem = Modem("a")
    for text in (b"CONNECT\r\n", b"+CPIN: SIM PIN\r\n", b"+CREG: 0,3\r\n"):
        modem.received(text, 0, len(text), 0)
    assert modem.state == DIALS  # nobody asked


def test_what_follows_connect_is_left_to_ppp():
    modem = _dial(FakeModem())
    modem.received(b"~\xff}#\xc0!ERROR\r\n", 0, 12, 0)
    assert modem.state == CONNECTED
