"""What the bench claims of the uplink holds in its direction, and its tools count right."""

from tests.bench import storm, wire


def test_jitter_brings_a_fleet_back_sooner_and_without_a_peak(tmp_path):
    without, with_jitter = storm.run(False), storm.run(True)
    assert with_jitter.online_s * 3 < without.online_s
    assert with_jitter.peak * 4 < without.peak
    assert sum(with_jitter.attempts) < 20 * storm.GATEWAYS
    storm.picture([without, with_jitter], tmp_path / "storm.svg")
    text = (tmp_path / "storm.svg").read_text()
    assert text.startswith("<svg") and "with full jitter" in text and text.count("<rect") > 50


def test_blocks_cost_a_tenth_of_senml_on_the_same_wire():
    each, connection = wire.blocks_per_reading(5)
    assert 0 < each * 10 < wire.messages_per_reading(20, "cbor")
    assert wire.messages_per_reading(20, "cbor") < wire.messages_per_reading(20, "json")
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
