"""What `eclor check` says about a configuration, in words."""

import pytest

from agent.config import validate
from host_tools.planning import promise

KEY = "00" * 32


def _words(meter=None, **uplink):
    tree = {
        "gateway": "gw",
        "board": "host",
        "ports": [{"name": "line", "uart": "uart1"}],
        "meters": [
            {"name": "m", "port": "line", "protocol": "modbus", "map": "sdm630", **(meter or {})}
        ],
        "privacy": {"key": KEY},
        "uplink": uplink,
    }
    config, problems = validate(tree)
    assert problems == []
    return promise.words(config)


@pytest.mark.parametrize(
    ("uplink", "said"),
    [
        ({}, "in the clear"),
        ({}, "a broker that turns hostile could forge that"),
        ({}, "commands: all are refused"),
        ({"key": KEY}, "the broker cannot make it forget"),
        ({"key": KEY}, "nor put something else in a reading's place"),
        ({}, "besides: names of gateway, site, meters"),
        ({"format": "senml"}, "besides: names of gateway, meters and points"),
        ({"key": KEY}, "only those signed for this gateway"),
        ({"tls": True, "ca": "/ca.der"}, "without a certificate of ours"),
        ({"tls": True, "ca": "/ca.der"}, "127.0.0.1:8883"),
        ({"acknowledge": "puback"}, "lost, what it delivers twice is there twice"),
        ({"format": "senml"}, "SenML leaves out nulls"),
        ({"kind": "https", "tls": True, "ca": "/ca.der"}, ":443, TLS"),
        ({"budget_kb_day": 500}, "500 kB a day"),
        ({"kind": "https"}, "commands: none reach it by https"),
    ],
)
def test_each_choice_says_what_it_promises(uplink, said):
    assert any(said in line for line in _words(**uplink)), _words(**uplink)


def test_https_promises_no_signature_on_records():
    said = _words(kind="https", tls=True, ca="/ca.der", key=KEY)
    assert not any("signs each record" in line for line in said), said
    assert any("under this gateway's key" in line for line in said), said


def test_a_personal_meter_is_shown_under_its_pseudonym():
    assert "m: personal, as p-" in _words({"personal": True})[0]


def test_what_is_rounded_or_repeated_is_said():
    rows = [
        {"points": ["voltage_l1", "power"], "resolution": "10"},
        {"deadband": "0.5", "silence_s": 600},
    ]
    lines = _words({"thin": rows})
    assert "m: voltage_l1, power: rounded to multiples of 10" in lines
    held = "m: *: repeated while within 0.5 of the last one reported, for 600 s at most"
    assert held in lines and len(lines) == len(_words()) + 2


def test_what_does_not_go_together_is_a_problem():
    base = {"gateway": "g", "board": "host", "ports": [], "meters": []}
    for uplink in (
        {"kind": "https", "host": "collector.example"},
        {"kind": "https", "format": "senml"},
        {"kind": "https", "acknowledge": "puback"},
        {"topic": "a/b"},
        {"port": -1},
    ):
        problems = validate({**base, "uplink": uplink})[1]
        assert len(problems) == 1 and problems[0].startswith("uplink."), problems


def test_a_password_is_not_repeated():
    problems = validate({"uplink": {"password": 12345}})[1]
    assert not [p for p in problems if "12345" in p]
