"""The fleet's driver: the gateways' own uplink, a cluster of three, collectors, the count."""

import pytest

from agent.codec import decode
from agent.record import check_record
from host_tools.collect.fleet.gateways import READINGS, PreparedJournal, prepare_blocks
from host_tools.collect.fleet.trial import run_trial


def test_prepared_blocks_are_whole_and_their_counter_only_rises():
    blocks = prepare_blocks(3, 1_700_000_000_000)
    rows = [row for data in blocks for row in decode(data).rows]
    assert len(rows) == 3 * READINGS
    assert [row[1][0] for row in rows] == sorted(row[1][0] for row in rows)
    times = [row[0] for row in rows]
    assert times == list(range(times[0], times[-1] + 1, 10_000))


def test_a_prepared_journal_gives_its_records_and_takes_only_its_own_acknowledgements():
    journal = PreparedJournal(7, prepare_blocks(2, 0))
    room = memoryview(bytearray(4096))
    seq, length = journal.read_from(1, room)
    assert check_record(room, 0, length)[1:3] == (1, 7)
    assert journal.read_from(3, room) == (0, 0)
    journal.trim_through(8, 1)
    journal.trim_through(7, 3)
    assert journal.acked == 0
    journal.trim_through(7, 2)
    assert (seq, journal.acked, journal.first) == (1, 2, 3)


@pytest.mark.slow
def test_a_small_fleet_on_a_cluster_is_stored_once(tmp_path):
    url = f"sqlite:///{tmp_path}/readings.db"
    result = run_trial(tmp_path, url, gateways=12, records=3, collectors=2, deadline_s=60)
    assert result["finished"]
    assert result["readings"] == 12 * 3 * READINGS
    assert (result["lost"], result["duplicated"]) == (0, 0)
