"""What the bench claims of the uplink holds in its direction, and its tools count right."""

import pytest

from tests.bench import clients, peers, storm, wire


def test_jitter_brings_a_fleet_back_sooner_and_without_a_peak(tmp_path):
    without, with_jitter = storm.run(False), storm.run(True)
    assert with_jitter.online_s * 3 < without.online_s
    assert with_jitter.peak * 4 < without.peak
    assert sum(with_jitter.attempts) < 20 * storm.GATEWAYS
    storm.picture([without, with_jitter], tmp_path / "storm.svg")
    text = (tmp_path / "storm.svg").read_text()
    assert text.startswith("<svg") and "with full jitter" in text and text.count("<rect") > 50


def test_blocks_cost_a_tenth_of_senml_on_the_same_wire():
    each, whole, connection = wire.blocks_per_reading(5)
    cbor, json_ = (wire.messages_per_reading(20, form) for form in ("cbor", "json"))
    assert 0 < each * 10 < cbor[0] < json_[0]
    assert each < whole < each * 2 and cbor[1] - cbor[0] == 4 * wire.IP_TCP
    assert 1500 < connection < 6000


def test_numbers_are_encoded_as_the_standard_shows():
    # RFC 8949, appendix A.
    for thing, expected in (
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (1000000, "1a000f4240"),
        (-1000, "3903e7"),
        ("IETF", "6449455446"),
        ([1, [2, 3]], "8201820203"),
        ({1: 2, 3: 4}, "a201020304"),
        (273.15, "c48221196ab3"),  # 3.4.4
    ):
        assert wire._cbor(thing).hex() == expected


def test_what_pip_does_not_reach_is_no_peer(mocker, tmp_path):
    mocker.patch.object(peers, "_FOLDER", tmp_path)
    unknown = peers.Peer("micropython-umqtt.simple", "0.0.0", "0" * 64)
    ran = mocker.patch.object(peers.subprocess, "run")
    ran.return_value.stdout, ran.return_value.stderr = "", "no such version"
    assert peers.fetch(unknown) is None
    ran.return_value.stderr = "from https://127.0.0.1:1/a.tar.gz does not appear"
    assert peers.fetch(unknown) is None
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(b"another archive")
    opened = mocker.patch.object(peers.urllib.request, "urlopen")
    opened.return_value.__enter__.return_value = archive.open("rb")
    with pytest.raises(ValueError, match="not the archive"):
        peers.fetch(unknown)


def test_the_bench_still_runs_the_device_of_today():
    with clients.Track(tls=True) as track:
        assert track.ours(20, 8) > 0
        assert 8_000 < track.heap < 40_000 and track.library > 16_000
