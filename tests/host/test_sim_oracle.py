"""The oracle finds what was lost, doubled or altered, and believes only what was declared."""

import pytest

from agent.record import BLOCK, LOST
from drivers.reading import NO_REPLY
from host_tools.collect.database import open_database
from host_tools.collect.store import Store
from host_tools.sim.ledger import Answer
from host_tools.sim.oracle import Gap, Row, Rule, Stored, judge, read_database
from host_tools.sim.thinning import thinning
from tests.fakes.gateway_messages import START_MS, birth, readings, record

_ASKED = Rule(5000, False, frozenset({"power"}))
_PUSHED = Rule(5000, True, frozenset({"power"}))
_T0 = 1_000_000


def _answer(at_ms, value, *, intact=True, pushed=False):
    return Answer("m", _T0 + at_ms, {"power": value}, intact, True, pushed)


def _row(at_ms, value, quality=0):
    return Row("m", _T0 + at_ms, {"power": value}, {"power": quality})


def _judge(rule, answers, rows, gaps=(), *, final=True):
    return judge(answers, Stored(list(rows), list(gaps)), {"m": rule}, final=final)


def _counts(verdict):
    return verdict.lost, verdict.duplicated, verdict.altered


def test_what_is_stored_is_not_lost():
    verdict = _judge(_ASKED, [_answer(0, 5), _answer(5000, 6)], [_row(20, 5), _row(5010, 6)])
    assert _counts(verdict) == (0, 0, 0)
    assert (verdict.answered, verdict.stored) == (2, 2)


def test_a_missing_reading_is_lost():
    verdict = _judge(_ASKED, [_answer(0, 5), _answer(5000, 6)], [_row(20, 5)])
    assert _counts(verdict) == (1, 0, 0)
    assert "lost: m" in verdict.examples[0]


def test_a_reading_stored_too_late_is_lost_and_altered():
    assert _counts(_judge(_ASKED, [_answer(0, 5)], [_row(3500, 5)])) == (1, 0, 1)


def test_a_later_answer_supersedes_when_it_is_stored():
    answers = [_answer(0, 5), _answer(900, 6)]
    verdict = _judge(_ASKED, answers, [_row(910, 6)])
    assert _counts(verdict) == (0, 0, 0)
    assert verdict.superseded == 1
    assert _judge(_ASKED, answers, []).lost == 2


def test_damaged_answers_owe_nothing():
    verdict = _judge(_ASKED, [_answer(0, 5, intact=False)], [])
    assert _counts(verdict) == (0, 0, 0)
    assert verdict.garbled == 1


@pytest.mark.parametrize(
    ("rows", "gaps", "cause"),
    [
        ([_row(500, None, NO_REPLY)], [], "no_reply"),
        ([], [Gap("", _T0 - 10, _T0 + 10, "boot: power")], "boot: power"),
        ([], [Gap("m", _T0, _T0, "event: line")], "event: line"),
    ],
)
def test_a_declared_gap_is_no_loss_and_has_its_cause(rows, gaps, cause):
    verdict = _judge(_ASKED, [_answer(0, 5)], rows, gaps)
    assert verdict.lost == 0
    assert dict(verdict.declared) == {cause: 1}


def test_a_gap_of_another_time_or_meter_declares_nothing():
    gaps = [Gap("", _T0 - 90_000, _T0 - 9000, "boot"), Gap("other", _T0, _T0, "event")]
    assert _judge(_ASKED, [_answer(0, 5)], [], gaps).lost == 1


def test_a_null_without_a_quality_declares_nothing():
    assert _judge(_ASKED, [_answer(0, 5)], [_row(10, None, 0)]).lost == 1


def test_one_frame_of_a_pushed_interval_is_enough():
    frames = [_answer(t, t, pushed=True) for t in range(0, 10_000, 1000)]
    assert _counts(_judge(_PUSHED, frames, [_row(1000, 1000), _row(6000, 6000)])) == (0, 0, 0)
    assert _judge(_PUSHED, frames, [_row(1000, 1000)]).lost == 1


def test_a_value_that_no_frame_had_is_altered():
    frames = [_answer(0, 5, pushed=True)]
    assert _counts(_judge(_PUSHED, frames, [_row(0, 7)])) == (1, 0, 1)


def test_two_rows_in_one_due_slot_are_a_duplicate():
    answers = [_answer(t, 5) for t in (0, 400, 5000)]
    rows = [_row(0, 5), _row(5000, 5)]
    assert _judge(_ASKED, answers, rows).duplicated == 0
    assert _judge(_ASKED, answers, [*rows, _row(0, 5)]).duplicated == 1
    rows = [_row(0, 5), _row(400, 5), _row(900, 5), _row(5000, 5)]
    assert _judge(_ASKED, answers, rows).duplicated >= 1


def test_a_turn_that_ended_late_is_no_duplicate():
    answers = [_answer(5100, 5), _answer(6000, 6), _answer(10_000, 7)]
    rows = [_row(5100, 5), _row(6000, 6), _row(10_000, 7)]
    assert _judge(_ASKED, answers, rows).duplicated == 0


def test_before_the_end_the_newest_answers_wait_for_their_rows():
    answers = [_answer(0, 5), _answer(20_000, 6)]
    assert _judge(_ASKED, answers, [_row(0, 5)], final=False).lost == 0
    assert _judge(_ASKED, answers, [_row(20_000, 6)], final=False).lost == 1
    assert _judge(_ASKED, answers, [_row(0, 5)], final=True).lost == 1


def test_windows_of_time_add_up_to_the_whole():
    answers = [_answer(t, t) for t in range(0, 60_000, 5000)]
    rows = [_row(t + 20, t) for t in range(0, 60_000, 5000) if t != 25_000]
    stored = Stored(rows)
    whole = judge(answers, stored, {"m": _ASKED}, final=True)
    parts = judge(answers, stored, {"m": _ASKED}, final=True, to_ms=_T0 + 30_000)
    parts.add(judge(answers, stored, {"m": _ASKED}, final=True, from_ms=_T0 + 30_000))
    assert _counts(whole) == _counts(parts) == (1, 0, 0)
    assert whole.answered == parts.answered == 12


def test_a_hole_without_times_reaches_from_the_reading_before_to_the_one_after(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    store = Store(engine, lambda: START_MS)
    hole = {"first": 2, "last": 4, "why": "full", "from_ms": 0, "to_ms": 0}
    store.take([birth(), record(BLOCK, 1, readings(3)), record(LOST, 4, hole)])
    store.take([record(BLOCK, 5, readings(3, 9))])
    engine.dispose()
    gaps = read_database(tmp_path / "a.db", "gw-a").gaps
    assert gaps == [Gap("main", START_MS + 20_000, START_MS + 90_000, "lost: full")]


def test_nothing_is_lost_while_records_before_the_newest_are_on_their_way(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    store = Store(engine, lambda: START_MS)
    rule = {"main": Rule(10_000, False, frozenset({"power"}))}
    answers = [
        Answer("main", START_MS + 10_000 * i, {"power": 50}, True, True, False) for i in range(12)
    ]

    def verdict(final):
        return judge(answers, read_database(tmp_path / "a.db", "gw-a"), rule, final=final)

    store.take([birth(), record(BLOCK, 2, readings(6, 6))])
    assert verdict(final=False).lost == 0 and verdict(final=True).lost == 6
    store.take([record(BLOCK, 1, readings(6))])
    engine.dispose()
    assert verdict(final=False).answered > 6 and verdict(final=True).lost == 0


def _thin(**entry):
    rows = [("power", "W", 0, "gauge", 0), ("energy", "Wh", 0, "counter", 0)]
    return thinning({"thin": [{"points": ["power", "energy"], **entry}]}, rows)


def _thinned(**entry):
    return Rule(5000, False, frozenset({"power"}), _thin(**entry))


def test_the_oracle_rounds_by_decimals_of_its_own():
    allowed = _thin(resolution="20")
    assert [allowed["power"].coarse(v) for v in (9, 10, 29, -10, 1234)] == [0, 2, 2, -2, 124]
    assert [allowed["energy"].coarse(v) for v in (19, 20, 39, 1259)] == [0, 2, 2, 124]
    assert not allowed["power"].is_near(9, 0), "no deadband"


def test_a_value_at_its_resolution_is_stored_and_no_other_is():
    answers = [_answer(0, 1234), _answer(5000, 1249)]
    good = [_row(0, 124), _row(5000, 124)]
    assert _counts(_judge(_thinned(resolution="20"), answers, good)) == (0, 0, 0)
    assert _counts(_judge(_thinned(resolution="20"), answers, [_row(0, 123), good[1]])) == (
        1,
        0,
        1,
    )
    assert _counts(_judge(_ASKED, answers, good)) == (2, 0, 2)


def test_a_held_value_is_stored_while_it_may_be_held():
    rule = _thinned(deadband="5", silence_s=15)
    answers = [_answer(5000 * i, 100 + i) for i in range(4)]
    held = [_row(5000 * i, 100) for i in range(3)]
    assert _counts(_judge(rule, answers, [*held, _row(15_000, 103)])) == (0, 0, 0)
    far = [_answer(0, 100), _answer(5000, 106)]
    assert _counts(_judge(rule, far, [_row(0, 100), _row(5000, 100)])) == (1, 0, 1)


def test_a_value_held_too_long_or_never_read_is_altered():
    rule = _thinned(deadband="5", silence_s=15)
    answers = [_answer(5000 * i, 100 + i) for i in range(6)]
    too_long = [_row(5000 * i, 100) for i in range(6)]
    assert _judge(rule, answers, too_long).altered == 2
    assert _judge(rule, answers, [_row(5000 * i, 99) for i in range(6)]).altered == 6
    between = [_row(0, 100), _row(5000, 101), _row(10_000, 100), _row(15_000, 103)]
    assert _judge(rule, answers[:4], between).altered == 1


def test_where_the_reading_that_began_it_is_declared_lost_a_value_may_be_held():
    rule = _thinned(deadband="5", silence_s=60)
    answers = [_answer(5000 * i, 100 + i) for i in range(3)]
    rows = [_row(5000 * i, 100) for i in (1, 2)]
    gap = Gap("m", _T0 - 1000, _T0 + 1000, "lost: full")
    assert _counts(_judge(rule, answers, rows, [gap])) == (0, 0, 0)
    assert _judge(rule, answers, rows, [Gap("m", _T0, _T0, "boot: power")]).altered == 2
