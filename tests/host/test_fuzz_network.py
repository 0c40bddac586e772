"""A short fuzz of everything the network may send; `make fuzz SECONDS=3600` is the long one."""

import pytest

from agent import mqtt
from agent.mac import Mac
from tests import fuzz_network

_SECONDS = 0.7


@pytest.mark.parametrize("protocol", sorted(fuzz_network.TARGETS))
def test_nonsense_from_the_network_does_nothing(protocol):
    total = 0
    for fed, wrong, pieces in fuzz_network.run(protocol, 1, _SECONDS):
        assert not wrong, (wrong, [piece.hex() for piece in pieces])
        total += fed
    assert total > 10_000


def test_a_reader_that_fails_is_caught(mocker):
    mocker.patch.object(mqtt, "check_packet", side_effect=IndexError("seeded"))
    assert "IndexError: seeded" in [w for _, w, _ in fuzz_network.run("mqtt", 1, 0.2)]


@pytest.mark.parametrize("protocol", ["session", "command"])
def test_a_mac_that_nobody_checks_is_caught(mocker, protocol):
    mocker.patch.object(Mac, "check", return_value=True)
    assert [w for _, w, _ in fuzz_network.run(protocol, 1, 1.0) if w]
