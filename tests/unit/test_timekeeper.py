"""Rounds of time servers that lie, differ, lag, jump or are silent; names that cannot be found."""

from agent.clock import Clock
from agent.names import split_server
from agent.timekeeper import Timekeeper

WALL = 1800000000000


def _keeper(servers=1):
    return Timekeeper(["192.0.2.%d" % n for n in range(1, servers + 1)], lambda n: n // 2)


def _round(keeper, walls, now_ms=0, trip_ms=0, clock=None):
    """Play one round; a wall of None is silence. Returns (wall or None, tick at the end)."""
    keeper.begin(now_ms)
    for index, wall_ms in enumerate(walls):
        out = bytearray(48)
        keeper.request(index, out, now_ms)
        now_ms += trip_ms
        if wall_ms is None:
            keeper.failed("timeout")
            continue
        seconds = wall_ms // 1000 + 2208988800 & 0xFFFFFFFF
        answer = b"\x24\x02" + bytes(22) + bytes(out[40:48]) + bytes(8)
        keeper.answered(answer + seconds.to_bytes(4, "big") + bytes(4), 48, now_ms)
    return keeper.finish(clock or Clock(1), now_ms), now_ms


def test_without_servers_no_round_is_ever_due():
    assert Timekeeper([], lambda n: 0).wait_ms(0) is None


def test_one_server_sets_the_clock_corrected_by_half_the_trip():
    keeper = _keeper()
    assert keeper.wait_ms(0) == 0
    assert _round(keeper, [WALL], trip_ms=600) == (WALL + 300, 600)
    assert 2700000 <= keeper.wait_ms(600) <= 3600000 and keeper.why == ""


def test_of_several_servers_a_single_liar_moves_nothing():
    keeper = _keeper(3)
    assert _round(keeper, [WALL + 86400000, WALL, WALL])[0] == WALL
    keeper = _keeper(2)
    assert _round(keeper, [WALL + 86400000, WALL])[0] is None
    assert "no two agree" in keeper.why
    assert _round(keeper, [WALL, None])[0] is None


def test_silence_backs_off_and_recovers_at_once():
    keeper = _keeper()
    waits = []
    now = 0
    for _ in range(12):
        assert _round(keeper, [None], now)[0] is None
        waits.append(keeper.wait_ms(now))
    assert waits == sorted(waits) and waits[0] >= 4000 and waits[-1] <= 904000
    assert keeper.why == "timeout"
    assert _round(keeper, [WALL], now)[0] == WALL


def test_late_answers_and_times_before_the_build_are_refused():
    keeper = _keeper()
    assert _round(keeper, [WALL], trip_ms=2001)[0] is None
    assert "after 2001 ms" in keeper.why
    assert _round(keeper, [1500000000000])[0] is None
    assert "before this program was built" in keeper.why
    assert keeper.refused == 2


def test_a_clock_that_sntp_set_is_not_moved_across_years():
    clock = Clock(1)
    keeper = _keeper()
    clock.set_wall(WALL, 0, "sntp")
    assert _round(keeper, [WALL + 2 * 86400000], clock=clock)[0] is None
    assert "jump" in keeper.why
    assert _round(keeper, [WALL + 60000], clock=clock)[0] == WALL + 60000
    board = Clock(1)
    board.set_wall(WALL, 0, "board")  # a battery clock may be years wrong: SNTP corrects it
    assert _round(keeper, [WALL + 400 * 86400000], clock=board)[0] is not None


def test_servers_are_host_or_host_and_port():
    assert split_server("pool.example") == ("pool.example", 123)
    assert split_server("127.0.0.1:1123") == ("127.0.0.1", 1123)
    for text in ("", ":5", "a:b", "a:0", "a:65536"):
        try:
            split_server(text)
        except ValueError:
            continue
        raise AssertionError(text)
