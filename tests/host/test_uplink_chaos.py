"""100 rounds of everything at once, by seed; `make chaos N=1000` is the long form."""

import subprocess
import sys
from collections import Counter

import pytest

from agent.flight import Flight
from tests import chaos
from tests.fakes.broker_process import KINDS, is_there
from tests.fakes.postgresql import PostgreSQL, programs
from tests.skips import skip

_ROUNDS = 100
_ON_POSTGRESQL = 10
_THERE = [kind for kind in KINDS if is_there(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_fails_nothing_is_lost_duplicated_or_altered(kind):
    if kind not in _THERE:
        pytest.skip(f"{kind} is not installed")
    result = chaos.run(kind, 7, _ROUNDS // len(_THERE))
    assert result.is_good, result.line()
    assert result.records > 500 and result.repeated > 0 and len(result.faults) > 7, result.line()


def test_whatever_fails_on_the_way_to_postgresql_is_stored_once():
    """With nats-server, collector and PostgreSQL killed (-9) in the middle."""
    if programs() is None:
        skip("PostgreSQL is not installed: apt-get install postgresql")
    with PostgreSQL(durable=True) as server:
        result = chaos.run("nats", 21, _ON_POSTGRESQL, server)
    assert result.is_good, result.line()
    assert {"kill", "collector", "database"} <= result.faults.keys(), result.line()


def test_a_gateway_that_forgets_too_early_is_found(mocker):
    """The seeded fault: an acknowledgement frees whatever there is, not what it says."""
    taken = Flight.on_stored

    def generous(self, journal_id, seq, now_ms):
        return taken(self, journal_id, max(seq, self._journal.durable), now_ms)

    mocker.patch.object(Flight, "on_stored", generous)
    assert not chaos.run("nats", 7, 30).is_good


def test_the_comparison_sees_each_breach():
    for rows, breach in (
        ([(1, 10)], "lost"),
        ([(1, 10), (2, 20), (2, 20)], "duplicated"),
        ([(1, 10), (2, 21)], "altered"),
        ([(1, 10), (2, 20), (3, 30)], "foreign"),
    ):
        result = chaos.Result("nats", 1)
        chaos.compare(result, {1: 10, 2: 20}, rows)
        assert getattr(result, breach) == 1 and not result.is_good
        assert f"{breach} 1" in result.line()
    result = chaos.Result("nats", 1, faults=Counter(cut=1))
    chaos.compare(result, {1: 10}, [(1, 10)])
    assert result.is_good and "cut 1" in result.line()


def test_a_run_that_hangs_is_ended_and_names_its_seed():
    hangs = "from tests import chaos\nimport time\nwith chaos.limit('nats', 4711, 0.1):\n"
    done = subprocess.run(
        [sys.executable, "-c", hangs + "    time.sleep(60)"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1 and "nats, seed 4711: no end" in done.stderr
    assert '"<string>", line 4' in done.stderr, done.stderr
