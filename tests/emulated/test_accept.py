"""The acceptance test: what works is said, what does not is named; nobody forges the report."""

import json
import queue
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from drivers import load_map
from host_tools import acceptance, labels, language, sheets
from host_tools.acceptance import Options, cable, paper, running
from host_tools.acceptance.findings import FAILED as NO
from host_tools.acceptance.findings import GOOD, NOTE, SKIPPED, MeterResult, Report, hints
from host_tools.cable import provision as library
from host_tools.cable.prompt import Prompt
from host_tools.collect import Collector
from host_tools.collect.jetstream import JetStream
from host_tools.planning.site_file import read_site
from host_tools.problems import FAILED, INPUT, OK, USAGE, Problem
from host_tools.processes.broker import Broker, Papers
from host_tools.processes.supervisor import Supervisor
from host_tools.remote import listener
from host_tools.sim.lines import LineSettings
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.workbench import SerialBench
from host_tools.trust import ca, claim
from host_tools.trust.permissions import VISITOR
from tests import pictures, technicians_hour
from tests.emulated.bare import ROOT, deployed

PHRASE = "une longue phrase de passe"
SITE = """
site: ecole
gateways:
  - name: gw-ecole
    board: host
    ports: [{name: rs485, uart: uart1, baud: 9600}]
    meters:
      - {name: kitchen, port: rs485, protocol: modbus, map: sdm120, points: [voltage],
         options: {unit: 7, reply_ms: 3000}}
      - {name: gone, port: rs485, protocol: modbus, map: sdm120, options: {unit: 9},
         points: [voltage]}
    network: {wifi: [{ssid: mairie}, {ssid: cave}]}
    uplink: {host: 192.0.2.1}
"""
_RADIO = b"""
class WLAN:
    def __init__(self, number): pass
    def active(self, on): pass
    def scan(self): return [(b'mairie', b'', 6, -88, 3, False), (b'mairie', b'', 1, -80, 3, False)]
    def isconnected(self): return False
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report of a gateway with two meters in its settings, one of which is not there."""
    folder = tmp_path_factory.mktemp("accept")
    (folder / "site.yaml").write_text(SITE)
    plan = library.plan_for(read_site(folder / "site.yaml"), "")
    plan.secrets["network.wifi.mairie.key"] = "CANARY-of-the-wifi"
    meter = ModbusMeter(load_map("sdm120"), 7, lambda name, now_s: Decimal("230.4"))
    with SerialBench([meter], LineSettings(9600, 8, "N", 1)) as bench:
        uarts = {"uart1": bench.path}
        with deployed(folder / "board", tmp_path_factory.getbasetemp(), uarts=uarts) as board:
            library.provision(board.port, plan, library.Papers(), claims=folder, start=False)
            with Prompt(board.port) as prompt:
                prompt.put("network.py", _RADIO)
                prompt.put("boot.mpy", prompt.read("boot.mpy"))
            plan.config["block"] = {"flush_s": 7}
            return acceptance.run(board.port, plan, Options(reads=3, listen=_deaf, cable_s=0.5))


def _deaf(gateway, host, port, take):
    raise OSError(f"{host} is not here")


def test_each_thing_is_looked_at_and_said(report):
    found = {check.name: check for check in report.checks}
    states = {name: check.state for name, check in found.items()}
    assert states == {
        "identity": GOOD,
        "firmware": NOTE,
        "settings": NO,
        "secrets": NOTE,
        "signal": NOTE,
        "flash": GOOD,
        "kitchen": GOOD,
        "gone": NO,
        "uplink": NO,
        **dict.fromkeys(("clock", "health", "power"), SKIPPED),
    }
    assert not report.is_accepted
    assert "block" in found["settings"].what and "-80 dBm" in found["signal"].what
    assert found["gone"].hints == ["not a byte comes: look at its supply, its address, A and B"]
    assert "no acknowledgement" in found["uplink"].what
    kitchen, gone = report.meters
    assert (kitchen.reads, kitchen.whole, kitchen.silent) == (3, 3, 0)
    assert kitchen.values == [("voltage", "230.4", "V")] and len(kitchen.series["voltage"]) == 3
    assert 0 < min(kitchen.reply_ms) and max(kitchen.reply_ms) < kitchen.allowed_ms
    assert (gone.whole, gone.silent) == (0, 3)
    assert "CANARY" not in json.dumps(report.as_dict())


def test_the_report_is_signed_and_cannot_be_changed(report, tmp_path):
    key = paper.key_at(tmp_path / "me.pem", PHRASE)
    report.technician = "Élodie \u2013 l\u2019énergie"
    data = paper.sealed(report, key)
    assert paper.verify(data)["report"]["gateway"] == "gw-ecole"
    again = paper.key_at(tmp_path / "me.pem", PHRASE)
    assert paper.sealed(report, again) == data, "the key is kept"
    for old, new in ((b'"accepted": false', b'"accepted": true'), (b'"whole": 3', b'"whole": 2')):
        assert old in data
        with pytest.raises(Problem) as error:
            paper.verify(data.replace(old, new))
        assert error.value.code == FAILED
    with pytest.raises(Problem) as error:
        paper.key_at(tmp_path / "me.pem", "another passphrase")
    assert error.value.code == INPUT
    for lang in ("en", "fr"):
        language.use(lang)
        try:
            made = paper.pdf(data)
        finally:
            language.use("en")
        assert made.startswith(b"%PDF") and len(made) > 4000
    (tmp_path / "report.json").write_bytes(data)
    label = labels.read(tmp_path / "report.json")
    assert label.code == f"eclor:02ec10000001:{report.claim}"
    assert labels.sheet_of([label] * 30, first=20).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("result", "strays", "says"),
    [
        ({"whole": 10, "reply_ms": [30.0]}, 0, []),
        ({"whole": 10, "reply_ms": [480.0]}, 0, ["slowest"]),
        ({"whole": 9, "damaged": 1}, 0, ["120 ohm"]),
        ({"whole": 9, "silent": 1}, 0, ["two masters"]),
        ({"whole": 0, "damaged": 10}, 3, ["unasked", "A and B swapped"]),
        ({"whole": 0, "silent": 10}, 0, ["not a byte"]),
    ],
)
def test_the_pattern_of_errors_says_what_to_look_at(result, strays, says):
    told = hints(MeterResult("m", "sdm120", "9600 8N1", 10, allowed_ms=500, **result), strays)
    assert len(told) == len(says) and all(
        word in hint for word, hint in zip(says, told, strict=True)
    )


def _birth(first, next_, cause="soft", journal=5):
    tree = {"cause": cause, "first": first, "next": next_, "journal": journal}
    return "birth", json.dumps(tree).encode() + bytes(range(200, 216))


def _state(first, wall_ms=0):
    tree = {
        "records": [first, 9, 9],
        "wall_ms": wall_ms,
        "heap": 80,
        "heap_free": 20,
        "journal": 1,
    }
    return "state", json.dumps(tree).encode()


@pytest.mark.parametrize(
    ("messages", "states"),
    [
        ([], {"uplink": NO}),
        ([_birth(1, 3), _state(1)], {"uplink": NO, "clock": NOTE}),
        ([_birth(1, 3), _state(2, 1)], {"uplink": GOOD, "clock": NOTE, "power": NO}),
        (
            [_birth(1, 3), _state(2), _birth(2, 4, "power"), _state(3)],
            {"uplink": GOOD, "health": GOOD, "power": GOOD},
        ),
        ([_birth(1, 3), _state(2), _birth(2, 4, "power", 6), _state(3)], {"power": NO}),
    ],
    ids=["silent", "not acknowledged", "does not come back", "good", "another journal"],
)
def test_what_the_broker_shows_is_judged(report, messages, states):
    report = Report("g", "s", "b", "1", "c", "t")
    heard: queue.Queue = queue.Queue()
    for message in messages:
        heard.put(message)
    running.judge(report, heard, wait_s=0.05, cut=lambda: None)
    found = {check.name: check.state for check in report.checks}
    assert states.items() <= found.items(), found


def test_only_what_it_says_now_counts():
    heard: queue.Queue = queue.Queue()
    take = running.into(heard)
    take("eclor/1/g/birth", b"old", True)
    take("eclor/1/g/rec", b"x", False)
    take("eclor/1/g/state", b"now", False)
    assert heard.get_nowait() == ("state", b"now") and heard.empty()


@pytest.mark.parametrize(
    ("before", "after", "again", "states"),
    [
        ((0, 0), (7, 3), (7, 9), {"uplink": GOOD, "power": GOOD}),
        ((7, 2), (7, 3), (7, 3), {"uplink": GOOD, "power": NO}),
        ((7, 2), (7, 3), (8, 9), {"uplink": GOOD, "power": NO}),
        ((7, 2), (7, 2), (7, 9), {"uplink": NO, "power": GOOD}),
        ((6, 2), (7, 3), (7, 9), {"uplink": NO, "power": GOOD}),
        ((0, 0), (7, 0), (7, 0), {"uplink": NO, "power": NO}),
    ],
    ids=["good", "silent after it", "another after it", "silent", "another", "never"],
)
def test_what_a_journal_shows_is_judged(mocker, before, after, again, states):
    seen = [cable.Numbers(*after), cable.Numbers(*again)]
    mocker.patch.object(cable, "_after", side_effect=seen)
    report, cuts = Report("g", "s", "b", "1", "c", "t"), []
    cable.judge(report, mocker.Mock(), "host", cable.Numbers(*before), 1.0, lambda: cuts.append(1))
    found = {check.name: check.state for check in report.checks}
    assert states.items() <= found.items() and cuts == [1]
    if after[0] != again[0]:
        assert "another journal" in report.checks[-1].what


@pytest.mark.parametrize(
    ("uplink", "other", "is_waived", "verdict", "is_accepted"),
    [
        (GOOD, NOTE, False, "accepted", True),
        (GOOD, NO, False, "not accepted", False),
        (SKIPPED, GOOD, False, "not accepted: uplink not proved", False),
        (NOTE, GOOD, False, "not accepted: uplink not proved", False),
        (NO, GOOD, True, "not accepted", False),
        (SKIPPED, GOOD, True, "accepted without its uplink", True),
        (SKIPPED, NO, True, "not accepted", False),
    ],
)
def test_nothing_is_accepted_without_its_uplink_unless_a_person_says_so(
    uplink, other, is_waived, verdict, is_accepted, tmp_path
):
    report = Report("g", "s", "b", "1", "c", "t", without_uplink=is_waived)
    report.add("uplink", uplink, "x")
    report.add("clock", other, "x")
    assert (report.verdict, report.is_accepted) == (verdict, is_accepted)
    told = paper.sealed(report, paper.key_at(tmp_path / "me.pem", PHRASE))
    signed = paper.verify(told)["report"]
    assert (signed["verdict"], signed["without_uplink"]) == (verdict, is_waived)
    with pytest.raises(Problem):
        paper.verify(told.replace(b'"without_uplink": ' + b"ft"[is_waived : is_waived + 1], b"x"))


def test_the_names_of_europe_are_on_paper_and_what_is_not_is_told(tmp_path):
    names = "Škoda Ελληνικά Київ — Œuvre 中 ł"
    report = Report(names, "Ţara, e\u0301cole", "b", "1", "c", "t", technician=names)
    sheet = sheets.sheet()
    assert sheets.plain(sheet, names) == names.replace("中", "[U+4E2D]") and sheet.lacks == {"中"}
    assert sheets.plain(sheet, "e\u0301cole") == "école"
    data = paper.sealed(report, paper.key_at(tmp_path / "me.pem", PHRASE))
    assert names in data.decode() and paper.pdf(data).startswith(b"%PDF")
    assert labels.sheet_of([labels.Label(names, names, "1", "c")]).startswith(b"%PDF")


def test_a_broker_with_tls_and_a_power_cut(tmp_path, tmp_path_factory):
    """As in the field: both sides show papers, the collector has the key, we only listen."""
    authority = ca.create(tmp_path / "ca", "Ville", PHRASE)
    certificate, key = authority.make_server("localhost")
    papers = Papers(tmp_path / "b.pem", tmp_path / "b.key", authority.folder / "ca.pem")
    papers.certificate.write_bytes(ca.pem(certificate))
    papers.key.write_bytes(key)
    with Supervisor() as supervisor:
        broker = Broker(supervisor, tmp_path / "broker", papers=papers)
        broker.start()
        site = tmp_path / "site.yaml"
        uplink = f"uplink: {{host: localhost, port: {broker.mqtt_port}, tls: true, state_s: 1}}\n"
        text = SITE.replace(
            "    uplink: {host: 192.0.2.1}\n",
            f"    {uplink}    block: {{flush_s: 5}}\n    journal: {{max_loss_s: 5}}\n",
        )
        text = re.sub(r"      - \{name: gone.*\n.*\n", "", text).replace("ecole\n", "Škoda\n", 1)
        site.write_text(re.sub(r"    network: .*\n", "", text))
        plan = library.plan_for(read_site(site), "")
        office = library.Papers(
            ca.der(authority.certificate), office=claim.public_seal(authority.folder / "seal.pub")
        )
        office.sign = authority.sign_request
        meter = ModbusMeter(load_map("sdm120"), 7, lambda name, now_s: Decimal("230.4"))
        with (
            SerialBench([meter], LineSettings(9600, 8, "N", 1)) as bench,
            deployed(
                tmp_path / "board", tmp_path_factory.getbasetemp(), uarts={"uart1": bench.path}
            ) as board,
        ):
            given = library.provision(board.port, plan, office, claims=tmp_path, start=False)
            keys = tmp_path / "keys.json"
            claim.collect(authority.folder, PHRASE, [Path(given.claim_file)], keys)
            known = {n: bytes.fromhex(k) for n, k in json.loads(keys.read_text()).items()}
            node = f"nats://127.0.0.1:{broker.client_port}"
            collector = Collector(
                "127.0.0.1",
                broker.client_port,
                f"sqlite:///{tmp_path / 'readings.db'}",
                source=lambda change: JetStream([node], "c", change, known),
            )

            def cut():
                board.power_cut()
                board.power_on()

            with collector:
                listen = listener.as_visitor(authority.folder, PHRASE)
                report = acceptance.run(board.port, plan, Options(2, listen=listen, cut=cut))
                # The same from a cellar: nobody reaches the broker but the gateway.
                cellar = acceptance.run(board.port, plan, Options(1, listen=_deaf, cable_s=8.0))
    states = {check.name: check.state for check in report.checks}
    assert (states["uplink"], states["power"], states["clock"]) == (GOOD, GOOD, GOOD), report
    assert report.is_accepted and report.site == "Škoda"
    assert cellar.verdict == "accepted", cellar
    (shown,) = [check for check in cellar.checks if check.name == "uplink"]
    assert "its journal shows" in shown.what
    assert not list((authority.folder / "issued").glob(f"{VISITOR}*"))


def test_a_power_cut_needs_the_uplink(tmp_path):
    words = ["accept", "--without-uplink", "--power-cut", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "host_tools", *words], cwd=ROOT, check=False)
    assert done.returncode == USAGE


@pytest.mark.parametrize(("lang", "picture"), [("en", "session.svg"), ("fr", "session-fr.svg")])
def test_from_a_bare_board_to_an_accepted_gateway_in_eight_commands(tmp_path, lang, picture):
    assert len(technicians_hour.SCRIPT.splitlines()) <= 8
    console, seconds = technicians_hour.terminal(is_silent=True), 0.0
    for step in technicians_hour.run(tmp_path, lang):
        assert step.code == OK, f"{step.command}\n{step.said}"
        technicians_hour.show(step, tmp_path, console)
        seconds += step.seconds
    (report,) = tmp_path.glob("gw-ecole-*.json")
    tree = paper.verify(report.read_bytes())
    assert tree["report"]["accepted"] and tree["report"]["technician"] == "Élodie"
    assert report.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "labels.pdf").exists()
    drawn = technicians_hour.drawn(console, seconds).encode()
    pictures.keep(picture, drawn, pictures.form_of_svg(drawn))


def test_a_changed_report_is_refused(report, tmp_path):
    data = paper.sealed(report, paper.key_at(tmp_path / "me.pem", PHRASE))
    file = tmp_path / "report.json"
    file.write_bytes(data.replace(b'"reads": 3', b'"reads": 30'))
    words = ["accept", "--verify", str(file)]
    done = subprocess.run([sys.executable, "-m", "host_tools", *words], cwd=ROOT, check=False)
    assert done.returncode == FAILED
