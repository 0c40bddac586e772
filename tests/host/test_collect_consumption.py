"""Counters to consumption: exact sums, exchanges, resets, gaps, late arrivals, both engines."""

import random

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from agent.record import BLOCK
from host_tools.collect import tables
from host_tools.collect.consumption import Exchange, rises, spread
from host_tools.collect.database import open_database
from host_tools.collect.store import Store
from host_tools.collect.summaries import DAY_S, STEP_S, exchange, summarise
from host_tools.problems import Problem
from tests.fakes.gateway_messages import GOOD, NO_REPLY, START_MS, birth, block, record

STEP = STEP_S * 1000
START = START_MS - START_MS % (DAY_S * 1000)


def amounts(samples, exchanges=()):
    return [rise.amount for rise in rises(samples, exchanges)]


def test_a_rise_is_shared_among_the_steps_it_crosses_without_losing_a_unit():
    shares = spread(rises([(0, 0), (STEP * 3 // 2, 100)], []), STEP)
    assert {start: share.consumption for start, share in shares.items()} == {0: 66, STEP: 34}
    assert shares[0].estimated == 66  # longer than a step: nobody knows when it rose


def test_a_reading_on_the_boundary_ends_the_step_before_it():
    shares = spread(rises([(0, 0), (STEP, 10), (2 * STEP, 30)], []), STEP)
    found = {start: (share.consumption, share.estimated) for start, share in shares.items()}
    assert found == {0: (10, 0), STEP: (20, 0)}


@given(st.lists(st.tuples(st.integers(1, 5 * STEP), st.integers(0, 1 << 40)), max_size=30))
def test_the_shares_add_up_to_the_rise_of_the_counter(moves):
    samples = [(START, 1000)]
    for after_ms, by in moves:
        samples.append((samples[-1][0] + after_ms, samples[-1][1] + by))
    shares = spread(rises(samples, []), STEP)
    total = sum(share.consumption for share in shares.values())
    assert total == samples[-1][1] - samples[0][1]
    assert all(share.consumption >= share.estimated >= 0 for share in shares.values())


def test_a_single_low_reading_is_passed_over():
    assert amounts([(0, 1000), (1, 0), (2, 1001)]) == [1]


def test_an_undeclared_reset_consumes_nothing_and_is_counted():
    found = list(rises([(0, 50_000), (1, 7), (2, 9)], []))
    assert [(rise.amount, rise.is_reset) for rise in found] == [(0, True), (2, False)]


@pytest.mark.parametrize("end", [1 << 16, 1 << 32, 1 << 64, 10**6, 10**9])
def test_a_counter_at_its_end_rolls_over(end):
    assert amounts([(0, end - 5), (1, 3), (2, 4)]) == [8, 1]


def test_a_declared_exchange_counts_the_old_meters_end_and_the_new_ones_beginning():
    samples = [(0, 900), (10, 5), (20, 8)]
    assert amounts(samples, [Exchange(5, 950, 2)]) == [53, 3]
    assert amounts(samples, [Exchange(5, None, 2)]) == [3, 3]
    assert amounts(samples, [Exchange(5, 950, None)]) == [50, 3]
    assert amounts([(0, 900), (10, 99_000)], [Exchange(5, 950, 98_990)]) == [60]
    assert amounts([(0, 9), (9, 4)], [Exchange(3, 10, 0), Exchange(6, 2, 1)]) == [1 + 2 + 3]


@pytest.fixture
def store(database_url):
    engine = open_database(database_url)
    made = Store(engine, lambda: START)
    made.take([birth()])
    yield made
    engine.dispose()


def take(store, seq, rows):
    store.take([record(BLOCK, seq, block([(at, [*pair], q) for at, pair, q in rows]))])


def steps(store, point="energy", step_s=STEP_S):
    s, p = tables.summary.c, tables.point.c
    with store.engine.connect() as connection:
        rows = connection.execute(
            sa.select(tables.summary)
            .join(tables.point)
            .where((p.name == point) & (s.step_s == step_s))
            .order_by(s.start_ms)
        ).all()
    return {row.start_ms - START: row for row in rows}


def test_summaries_hold_consumption_of_counters_and_range_of_gauges(store):
    take(store, 1, [(START + i * STEP // 3, (100 + i, 10 * i), GOOD) for i in range(7)])
    summarise(store.engine)
    energy = {at: (row.consumption, row.readings) for at, row in steps(store).items()}
    assert energy == {0: (3, 3), STEP: (3, 3), 2 * STEP: (None, 1)}
    power = {at: (row.minimum, row.mean, row.maximum) for at, row in steps(store, "power").items()}
    assert power == {0: (0, 10, 20), STEP: (30, 40, 50), 2 * STEP: (60, 60, 60)}
    day = steps(store, step_s=DAY_S)[0]
    assert (day.consumption, day.readings, day.resets) == (6, 7, 0)
    day = steps(store, "power", DAY_S)[0]
    assert (day.minimum, day.mean, day.maximum) == (0, 30, 60)
    with store.engine.connect() as connection:
        view = "SELECT approximate FROM consumption WHERE step_s = 86400"
        assert connection.scalar(sa.text(view)) == 60.0
        view = "SELECT mean FROM ranges WHERE step_s = 86400"
        assert connection.scalar(sa.text(view)) == 3.0


def test_nulls_and_what_the_gateway_does_not_believe_take_no_part(store):
    implausible = bytes((7, 0))
    take(
        store,
        1,
        [
            (START, (100, 5), GOOD),
            (START + 1000, (None, None), NO_REPLY),
            (START + 2000, (999_999, 7), implausible),
            (START + 3000, (104, 9), GOOD),
        ],
    )
    summarise(store.engine)
    assert steps(store)[0].consumption == 4
    assert steps(store, "power")[0].readings == 3


def test_any_order_of_arrival_gives_the_same_summaries(store):
    rng = random.Random(3)
    counter, rows = 100, []
    for index in range(120):
        counter += rng.randrange(4)
        shown = 0 if index in (40, 80) else counter  # two wrong ones
        quality = NO_REPLY if index % 17 == 0 else GOOD
        pair = (None, None) if quality is NO_REPLY else (shown, rng.randrange(-50, 50))
        rows.append((START + index * 400_000, pair, quality))
    blocks = [rows[at : at + 3] for at in range(0, 120, 3)]
    first = None
    for turn in range(3):
        with store.engine.begin() as connection:
            for table in ("summary", "cursor", "arrival", "value", "reading", "record"):
                connection.execute(sa.text(f"DELETE FROM {table}"))
        for seq, chosen in enumerate(rng.sample(range(40), 40) if turn else range(40), 1):
            take(store, seq, blocks[chosen])
            if turn:
                summarise(store.engine)
        summarise(store.engine)
        found = [
            [tuple(row) for row in steps(store, point, step_s).values()]
            for point in ("energy", "power")
            for step_s in (STEP_S, DAY_S)
        ]
        first = first or found
        assert found == first
    used = sum(row.consumption or 0 for row in steps(store).values())
    seen = [pair[0] for _, pair, _ in rows if pair[0]]
    assert used == seen[-1] - seen[0]


def test_an_exchange_declared_afterwards_mends_the_summaries(store):
    take(store, 1, [(START, (5000, 1), GOOD), (START + 1000, (5010, 1), GOOD)])
    take(store, 2, [(START + 5000, (1, 1), GOOD), (START + 9000, (3, 1), GOOD)])
    summarise(store.engine)
    assert (steps(store)[0].consumption, steps(store)[0].resets) == (12, 1)
    # In Wh; the point's integers are tens of Wh.
    exchange(store.engine, "gw-a", "main", "energy", START + 3000, "50150", "0")
    summarise(store.engine)
    assert (steps(store)[0].consumption, steps(store)[0].resets) == (10 + 5 + 1 + 2, 0)
    with pytest.raises(Problem, match="no counter"):
        exchange(store.engine, "gw-a", "main", "power", START)
    with pytest.raises(Problem, match="no number"):
        exchange(store.engine, "gw-a", "main", "energy", START, "many")


def test_a_hostile_counter_cannot_stop_the_summaries(store):
    rows = [
        (START + i * 1000, (n, -(2**62)), GOOD) for i, n in enumerate((0, 2**64 - 1, 0, 2**63))
    ]
    take(store, 1, rows)
    assert summarise(store.engine) == 2
    assert steps(store, step_s=DAY_S)[0].consumption is None
