"""Every problem of a site file at once, with line, column, value, rule and remedy."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agent import config
from drivers import DRIVERS, load
from host_tools.planning import site_words
from host_tools.planning.site_file import read_site
from host_tools.problems import INPUT, Problem
from tests.typed import eclor

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "site.example.yaml"
SITES = sorted((ROOT / "host_tools" / "sim" / "sites").glob("*.yaml"))

_BAD = """\
site: depot
gatways: []
gateways:
  - name: gw1
    board: rpi_pico_w
    ports:
      - {name: rs485, uart: uart2, baud: 9601, rs485: true}
      - {name: spare, uart: uart1, bits: "8"}
    meters:
      - name: m1
        port: rs584
        protocol: modbus
        map: sdm360
        interval_s: 0
      - name: m2
        port: rs485
        protocol: modbus
        map: sdm630
        points: [power, energy_imprt]
        personal: true
      - {name: m3, port: rs485, protocol: modbus, map: sdm630, options: {unti: 3}}
      - {name: m4, port: rs485, protocol: tic, map: sdm630}
      - {name: m4, port: rs485, protocol: modbus, map: sdm630, options: {unit: 300}}
    uplink: {host: 5, key: not-for-your-eyes}
    journl: {}
"""
# line, column, path below the gateway (or at the top), value, in the rule, in the remedy
_FOUND = [
    (2, 1, "gatways", "", "is not a key here", "gateways"),
    (4, 5, "journal.size_kb", "", "room for 176 KB", "176"),
    (4, 5, "network.wifi", "", "names no network", "ssid"),
    (5, 12, "board", "rpi_pico_w", "205 KB of heap", "Pico 2 W"),
    (7, 29, "ports[0].uart", "uart2", "has no uart2", "uart1"),
    (7, 42, "ports[0].baud", "9601", "is not one of 300, 600", "9600"),
    (8, 16, "ports[1].name", "spare", "no meter is on this port", "remove"),
    (8, 42, "ports[1].bits", "8", "is not a whole number", "digits"),
    (11, 15, "meters[0].port", "rs584", "no port is named rs584", "rs485"),
    (13, 14, "meters[0].map", "sdm360", "no map sdm360", "sdm630"),
    (14, 21, "meters[0].interval_s", "0", "is not within 1 .. 86400", "1"),
    (19, 25, "meters[1].points[1]", "energy_imprt", "no point", "energy_import"),
    (20, 19, "meters[1].personal", "true", "needs privacy.key", "privacy.key"),
    (21, 80, "meters[2].options.unti", "3", "no such option", "unit"),
    (22, 53, "meters[3].map", "sdm630", "is a map of modbus", "protocol: modbus"),
    (23, 16, "meters[4].name", "m4", "is there twice", "own name"),
    (23, 80, "meters[4].options.unit", "300", "not within 1..247", "drivers/modbus.py"),
    (24, 20, "uplink.host", "5", "is not a text", '"5"'),
    (24, 28, "uplink.key", "(not shown)", "64 hexadecimal digits", "keys"),
    (25, 5, "journl", "", "is not a key here", "journal"),
]


def _read(tmp_path, text):
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return read_site(path)


def test_every_problem_is_found_where_it_is(tmp_path):
    site = _read(tmp_path, _BAD)
    found = [
        (f.line, f.column, f.path.removeprefix("gateways[0]."), f.value) for f in site.findings
    ]
    assert found == [row[:4] for row in _FOUND]
    for finding, (*_, rule, remedy) in zip(site.findings, _FOUND, strict=True):
        assert rule in finding.rule, finding
        assert remedy in finding.remedy, finding
    assert [f.path for f in site.findings if not f.is_wrong] == [
        "gateways[0].board",
        "gateways[0].ports[1].name",
    ]
    assert not site.is_good
    assert "not-for-your-eyes" not in str(site.findings)


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("site: [1\nb: 2\n", 2, "expected"),
        ("site: a\nsite: b\n", 2, "duplicate key"),
        ("site:\n\t- x\n", 2, "cannot start any token"),
        ("- 1\n", 1, "no site file"),
        ("", 1, "no site file"),
        ("site: a\ngateways: {}\n", 2, "is required"),
        ("site: a\ngateways: [5]\n", 2, "is not a mapping"),
        ("site: 5\ngateways: [{}]\n", 1, "is required: a text"),
        (
            "site: a\ngateways:\n - {gateway: x, board: host, ports: [], meters: []}\n",
            3,
            "key here",
        ),
        (
            "site: a\ngateways:\n - &g {name: x, board: host, ports: [], meters: []}\n - *g\n",
            3,
            "there twice",
        ),
        (
            "site: a\ngateways:\n - {name: x, board: hots, ports: [], meters: []}\n",
            3,
            "not one of",
        ),
    ],
)
def test_what_is_no_site_is_said_with_its_line(tmp_path, text, line, rule):
    site = _read(tmp_path, text)
    assert [f for f in site.findings if f.line == line and rule in f.rule], site.findings
    assert not site.is_good


def test_two_ports_on_one_uart_and_a_uart_that_does_not_turn(tmp_path):
    text = EXAMPLE.read_text().replace("uart: uart2", "uart: uart1")
    rules = [f.rule for f in _read(tmp_path, text).findings]
    assert rules == ["uart1 is taken by port rs485"]
    text = EXAMPLE.read_text().replace("uart: uart1", "uart: uart2", 1)
    text = text.replace("name: linky\n        uart: uart2", "name: linky\n        uart: uart1")
    (note,) = _read(tmp_path, text).findings
    assert not note.is_wrong and "no direction pin" in note.rule


def test_a_map_of_ones_own_lies_beside_the_site_and_is_checked_by_line(tmp_path):
    text = EXAMPLE.read_text().replace("map: sdm630", "map: our_meter")
    assert "no map our_meter" in _read(tmp_path, text).findings[0].rule
    source = (ROOT / "drivers" / "maps" / "sdm630.py").read_text()
    own = tmp_path / "maps" / "our_meter.py"
    own.parent.mkdir()
    own.write_text(source)
    assert _read(tmp_path, text).findings == []
    own.write_text(source.replace('"points"', '"pints"', 1))
    (finding, *_) = _read(tmp_path, text).findings
    assert re.search(r"our_meter\.py:\d+:\d+: ", finding.rule)


def test_a_file_that_is_not_there_or_not_text_is_a_problem(tmp_path):
    with pytest.raises(Problem) as error:
        read_site(tmp_path / "absent.yaml")
    assert error.value.code == INPUT
    (tmp_path / "x.yaml").write_bytes(b"site: a\nb: \xff")
    with pytest.raises(Problem) as error:
        read_site(tmp_path / "x.yaml")
    assert error.value.where.endswith("x.yaml:2")


@pytest.mark.parametrize("path", [EXAMPLE, *SITES], ids=lambda p: p.stem)
def test_our_own_sites_are_good(path):
    assert read_site(path).findings == []


def test_what_leaves_is_said_in_words(tmp_path):
    text = EXAMPLE.read_text()
    leaves = read_site(EXAMPLE).gateways[0].leaves
    assert "boiler-room: every reading, under its name" in leaves
    assert "in the clear" in leaves[-3] and "when the collector has committed" in leaves[-2]
    text = text.replace("# privacy:", "privacy:").replace('# key: ""', f'key: "{"ab" * 32}"')
    text = text.replace("# personal: false", "personal: true")
    text = text.replace("# acknowledge: application", "acknowledge: puback")
    text = text.replace("# tls: false", "tls: true").replace('# ca: ""', 'ca: "/ca.der"')
    leaves = _read(tmp_path, text).gateways[0].leaves
    assert leaves[0].startswith("boiler-room: personal, as p-") and "a day" in leaves[0]
    assert "host name checked" in leaves[-3] and "stored or not" in leaves[-2]


def test_a_modem_needs_a_board_and_a_port_that_can_carry_it(tmp_path):
    text = EXAMPLE.read_text()
    board = re.search(r"board: (\w+)", text)
    assert board
    for name, uart, rule in (
        ("esp32_poe", "uart2", ""),
        ("esp32_poe", "uart9", "has no uart9"),
        ("rpi_pico_w", "uart1", "has no ppp"),
    ):
        tree = text.replace(board[0], f"board: {name}")
        tree = tree.replace("# network:", f"network: {{kind: ppp, uart: {uart}, apn: iot}} #")
        found = [f.rule for f in _read(tmp_path, tree).findings if "network" in f.path]
        assert not found if not rule else any(rule in said for said in found), (name, found)


def test_what_makes_no_sense_in_a_sleep_is_said(tmp_path):
    text = EXAMPLE.read_text()
    power = "power: {sleep: true, uplink_every: 1440} #"
    network = "network: {kind: ppp, uart: uart2, apn: iot} #"
    text = text.replace("# power:", power).replace("# network:", network)
    text = text.replace('ntp: ["192.0.2.10"]', "ntp: []")
    site = _read(tmp_path, text.replace("interval_s: 60", "interval_s: 900"))
    found = {f.path.removeprefix("gateways[0]."): f.rule for f in site.findings}
    assert "may dial for 180 s" in found["power.awake_s"]
    assert "once in 360 h" in found["power.uplink_every"]
    assert "asleep the clock drifts" in found["clock.ntp"]
    assert found["meters[1].protocol"].startswith("tic pushes")
    assert site.is_good and len(found) == 4, found
    site = _read(tmp_path, text.replace("interval_s: 60", "interval_s: 30"))
    assert not site.is_good and "too short for power.sleep" in str(site.findings)
    text = EXAMPLE.read_text().replace("# power:", "power: {low_mv: 3300} #")
    assert "no pin that measures its supply" in str(_read(tmp_path, text).findings)
    for protocol in DRIVERS:  # what has its own idea of a period cannot sleep through it
        drives = vars(load(protocol))
        assert (protocol in config._ALWAYS) == ("due" in drives), protocol


# --- words, sample, schema


def test_every_field_of_the_device_has_words_and_no_other():
    fields = {path for path, _ in site_words.every_field()} | {"simulation", "gateways"}
    assert set(site_words.WORDS) == fields


def test_the_example_is_what_the_fields_say_today():
    assert EXAMPLE.read_text() == site_words.sample(), (
        "write it anew: eclor schema --sample > site.example.yaml"
    )


def test_every_default_shown_in_the_example_is_the_devices(tmp_path):
    text = EXAMPLE.read_text()
    shown = 0
    for path, (name, _, default, _) in site_words.every_field():
        if isinstance(default, type) or isinstance(default, dict):
            continue
        line = f"# {name}: {site_words._yaml(default)}\n"
        shown += line in text
        text = text.replace(line, line[2:])
        assert path
    for section in config.SECTIONS:
        text = text.replace(f"# {section}:\n", f"{section}:\n")
    assert shown > 20
    site = _read(tmp_path, text)
    assert site.findings == []
    assert site.gateways[0].config == read_site(EXAMPLE).gateways[0].config


def test_a_sample_of_given_values_is_read_back_as_given(tmp_path):
    values: dict[str, Any] = {
        "site": "no",
        "gateway": "Été: 5",
        "board": "rpi_pico2_w",
        "ports": [],
        "meters": [],
        "journal": {"size_kb": 176},
        "network": {"wifi": [{"ssid": "a, b", "key": 'x"y#12345'}]},
    }
    site = _read(tmp_path, site_words.sample(values))
    assert [finding.rule for finding in site.findings] == ["nothing is read"]
    read = site.gateways[0].config
    assert (read["gateway"], read["site"]) == ("Été: 5", "no")
    assert read["network"]["wifi"] == values["network"]["wifi"]


def test_the_schema_accepts_our_sites_and_refuses_the_bad_one():
    import jsonschema
    from ruamel.yaml import YAML

    validator = jsonschema.Draft202012Validator(site_words.schema())
    validator.check_schema(validator.schema)
    for path in (EXAMPLE, *SITES):
        validator.validate(YAML(typ="safe").load(path))
    paths = {e.json_path for e in validator.iter_errors(YAML(typ="safe").load(_BAD))}
    assert {"$.gateways[0].ports[0].baud", "$.gateways[0].meters[0].interval_s"} <= paths


# --- the commands


def test_check_prints_what_compilers_print_and_json(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(_BAD)
    done = eclor("check", str(path))
    assert done.returncode == 1
    assert f"{path}:7:42: error: gateways[0].ports[0].baud: 9601 is not one of" in done.stdout
    assert "    -> did you mean 9600?" in done.stdout
    done = eclor("check", str(path), "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and len(told["findings"]) == len(_FOUND) and not told["good"]
    done = eclor("check", str(EXAMPLE))
    assert done.returncode == 0 and "What leaves gw-town-hall:" in done.stdout
    assert eclor("check", str(tmp_path / "absent.yaml")).returncode == INPUT


def test_boards_are_listed_one_by_one_and_as_json():
    done = eclor("boards", "--json")
    names = [json.loads(line)["name"] for line in done.stdout.splitlines()]
    assert {"esp32_poe", "rpi_pico_w", "host"} <= set(names)
    assert "UEXT" in eclor("boards", "esp32_poe").stdout
    assert "rpi_pico_w" in eclor("boards").stdout
    assert eclor("boards", "esp33").returncode == INPUT


def test_the_schema_is_printed():
    assert json.loads(eclor("schema").stdout)["title"] == "Éclor Edge site"
    assert eclor("schema", "--sample").stdout == EXAMPLE.read_text()
