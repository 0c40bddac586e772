"""What the hour under chaos calls growth, and what it draws."""

from xml.etree import ElementTree

from tests.hour import Sample, grown, picture


def _samples(**slopes):
    """An hour of samples that grow by so much a minute."""
    flat = {"heap": 250_000, "gateway": 9, "ours": 60, "age_s": 7.0}
    return [
        Sample(60.0 * i, **{name: base + slopes.get(name, 0) * i for name, base in flat.items()})
        for i in range(61)
    ]


def test_what_stays_is_no_growth_and_what_grows_is_named():
    assert grown(_samples()) == []
    for name, slope in (("heap", 500), ("gateway", 0.1), ("ours", 0.2), ("age_s", 0.2)):
        assert len(grown(_samples(**{name: slope}))) == 1, name
    assert "live heap" in grown(_samples(heap=500))[0]


def test_moments_without_power_break_the_line(tmp_path):
    samples = _samples()
    samples[30] = Sample(1800.0, None, None, 60, None)
    assert grown(samples) == []
    picture(samples, tmp_path / "hour.svg", "An hour")
    paths = [
        element.get("d") or ""
        for element in ElementTree.parse(tmp_path / "hour.svg").iter()
        if element.tag.endswith("path")
    ]
    assert sorted(path.count("M") for path in paths if "L" in path) == [1, 2, 2, 2]
