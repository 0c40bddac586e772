"""SNTP answers that may be believed, and all the others; 2036, 2038 and leap years."""

from agent import sntp
from agent.clock import days_from_civil

NONCE = b"12345678"


def _answer(seconds_1970, fraction=0, first=0x24, stratum=2, origin=NONCE):
    seconds = (seconds_1970 + 2208988800) & 0xFFFFFFFF
    head = bytes((first, stratum)) + bytes(22) + origin + bytes(8)
    return head + seconds.to_bytes(4, "big") + fraction.to_bytes(4, "big")


def _is_refused(data, length=48):
    try:
        sntp.read_answer(data, length, NONCE)
    except sntp.NotBelieved:
        return True
    return False


def test_a_request_carries_the_nonce_and_nothing_about_us():
    out = bytearray(48)
    sntp.make_request(out, NONCE)
    assert bytes(out) == b"\x23" + bytes(39) + NONCE


def test_times_before_and_after_2036_and_2038():
    for date in (
        (2026, 11, 24),
        (2028, 2, 29),
        (2036, 2, 7),
        (2036, 2, 8),
        (2038, 1, 20),
        (2099, 1, 1),
    ):
        at_s = days_from_civil(*date) * 86400 + 23399
        assert sntp.read_answer(_answer(at_s), 48, NONCE) == at_s * 1000
    assert sntp.read_answer(_answer(1800000000, 1 << 31), 48, NONCE) == 1800000000500


def test_answers_that_do_not_fit_are_not_believed():
    assert not _is_refused(_answer(1800000000))
    assert _is_refused(_answer(1800000000), 47)
    assert _is_refused(_answer(1800000000, first=0x23))
    assert _is_refused(_answer(1800000000, first=0xE4))
    assert _is_refused(_answer(1800000000, stratum=0))
    assert _is_refused(_answer(1800000000, stratum=16))
    assert _is_refused(_answer(1800000000, origin=b"87654321"))
    assert _is_refused(_answer(-2208988800))


def test_one_server_is_taken_and_of_several_two_must_agree():
    assert sntp.agree([5000], 1) == 5000
    assert sntp.agree([], 1) is None
    assert sntp.agree([5000], 2) is None
    assert sntp.agree([5000, 6001], 2) is None
    assert sntp.agree([5000, 900000, 5800], 3) == 5400
