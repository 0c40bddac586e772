"""What a verb's own help says of its exit codes is so, each code by its cause.

The codes in general are in test_exit_codes.py. Here the library below a verb gives the outcome;
verbs whose outcome another test produces name that test.
"""

import re
from types import SimpleNamespace

import pytest
import typer

from host_tools import acceptance, doctor
from host_tools.cable import console, ports, provision
from host_tools.commands import (
    accept,
    capture,
    compliance,
    config,
    demo,
    fleet,
    locate,
    logs,
    monitor,
    rollout,
)
from host_tools.commands import doctor as doctor_
from host_tools.planning import site_file
from host_tools.problems import DEVICE, FAILED, INTERRUPTED, MISSING, NETWORK
from host_tools.remote.rollout import Member
from tests.messages import ROOT

# Who produces it: a test below, or one elsewhere.
PRODUCED = {
    ("accept", FAILED): "tests/host/test_verb_codes.py::test_accept",
    ("capture", DEVICE): "tests/host/test_verb_codes.py::test_nothing_heard",
    ("check", FAILED): "tests/host/test_exit_codes.py::test_a_code_is_produced",
    ("compliance", FAILED): "tests/host/test_verb_codes.py::test_compliance",
    ("config", FAILED): "tests/host/test_verb_codes.py::test_config_problems",
    ("demo", FAILED): "tests/host/test_verb_codes.py::test_demo",
    ("deploy", DEVICE): "tests/emulated/test_deploy.py::test_from_the_command_line",
    ("devices", DEVICE): "tests/host/test_other_systems.py::test_a_verb_runs_without_posix",
    ("doctor", MISSING): "tests/host/test_verb_codes.py::test_doctor",
    ("flash", DEVICE): "tests/host/test_flash.py::test_images_and_flash_from_the_command_line",
    ("fleet", FAILED): "tests/host/test_verb_codes.py::test_fleet",
    ("locate", FAILED): "tests/host/test_verb_codes.py::test_locate",
    ("logs", DEVICE): "tests/host/test_verb_codes.py::test_nothing_heard",
    ("monitor", DEVICE): "tests/emulated/test_monitor.py::test_a_silent_cable_and_none_are_said",
    ("monitor", NETWORK): "tests/host/test_verb_codes.py::test_a_silent_broker",
    (
        "parse",
        FAILED,
    ): "tests/host/test_parse.py::test_nothing_readable_is_said_with_its_exit_code",
    ("read", DEVICE): "tests/host/test_other_systems.py::test_a_verb_runs_without_posix",
    ("rollout", FAILED): "tests/host/test_verb_codes.py::test_rollout",
    ("scan", DEVICE): "tests/host/test_other_systems.py::test_a_verb_runs_without_posix",
    ("scan", INTERRUPTED): "tests/host/test_scan.py::test_ctrl_c_keeps_what_was_found",
    ("site", FAILED): "tests/host/test_site_new.py::test_the_commands",
    ("write", DEVICE): "tests/host/test_write.py::test_a_refusal_and_silence_are_told_apart",
    ("write", FAILED): (
        "tests/host/test_write.py::test_the_command_says_what_was_written_and_what_is_held"
    ),
}


def _documented():
    """Return (verb, code) of every code that the help of a verb promises."""
    found = set()
    for path in (ROOT / "host_tools" / "commands").glob("*.py"):
        for doc in re.findall(r'^    """(.+?)"""', path.read_text("utf-8"), re.M | re.S):
            text = " ".join(doc.split())
            for sentence in re.findall(r"[Ee]xit code[^.;)]*", text):
                codes = re.findall(r"\b\d+\b", sentence)
                found |= {(path.stem, int(code)) for code in codes}
    return found


def test_every_promise_has_its_test():
    assert _documented() == set(PRODUCED)
    for name in PRODUCED.values():
        path, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text("utf-8"), name


@pytest.fixture
def board(mocker):
    """A port that is there, and a plan for what hangs on it."""
    mocker.patch.object(ports, "choose", lambda *a: SimpleNamespace(port="p", kind=ports.BRIDGE))
    mocker.patch.object(site_file, "read_site")
    plan = SimpleNamespace(gateway="gw", config={}, site="s", board="host")
    mocker.patch.object(provision, "plan_for", lambda *a: plan)


def _code(call, *args, **words):
    with pytest.raises(typer.Exit) as ended:
        call(*args, **words)
    return ended.value.exit_code


@pytest.mark.parametrize(
    ("state", "is_waived", "code"),
    [("good", False, 0), ("not tested", False, 1), ("not tested", True, 0), ("failed", True, 1)],
)
def test_accept(board, mocker, tmp_path, monkeypatch, state, is_waived, code):
    report = acceptance.Report("gw", "s", "host", "1", "c", "2026-11-28", without_uplink=is_waived)
    report.add("uplink", state, "on line, and nothing was acknowledged")
    monkeypatch.setenv("ECLOR_PASSPHRASE", "a long passphrase")
    mocker.patch.object(acceptance, "run", return_value=report)
    files = dict.fromkeys(("out",), tmp_path) | {"key": tmp_path / "me.pem"}
    assert _code(accept.command, without_uplink=is_waived, **files) == code


def test_compliance(mocker):
    rows = [SimpleNamespace(standard="s", status=1, proofs=[], provision=None)]
    mocker.patch("host_tools.compliance.results.read")
    mocker.patch("host_tools.compliance.results.assess", return_value=rows)
    mocker.patch("host_tools.compliance.results.FAILS", 1)
    rows[0].as_dict = dict
    mocker.patch("json.dumps", return_value="")
    assert _code(compliance.command, as_json=True) == FAILED


def test_config_problems(board, mocker):
    mocker.patch.object(provision, "problems", return_value=["meters: is required"])
    assert _code(config.problems) == FAILED
    mocker.patch.object(provision, "problems", return_value=[])
    assert _code(config.problems) == 0


@pytest.mark.parametrize(("lost", "code"), [(0, 0), (1, FAILED)])
def test_demo(mocker, lost, code):
    made = mocker.patch("host_tools.demo.demonstration.Demo").return_value.__enter__.return_value
    mocker.patch("host_tools.demo.demonstration.Demo").return_value = made
    made.settle.return_value = True
    made.result.return_value = {"lost": lost, "duplicated": 0, "altered": 0}
    assert _code(demo.command, headless=True, seconds=0.01) == code


def test_doctor(mocker, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for state, code in ((doctor.WRONG, MISSING), (doctor.NOTE, 0)):
        step = doctor.Step("python", "it is too old", "take another", state)
        mocker.patch.object(doctor, "examine", return_value=iter([step]))
        assert _code(doctor_.command) == code


@pytest.mark.parametrize(("lost", "code"), [(0, 0), (1, FAILED)])
def test_fleet(mocker, lost, code):
    wrong = dict.fromkeys(("duplicated", "altered", "disordered"), 0)
    result = {"finished": True, "lost": lost, **wrong}
    mocker.patch("host_tools.collect.fleet.trial.run_trial", return_value=result)
    assert _code(fleet.command) == code


@pytest.mark.parametrize("is_there", [True, False])
def test_locate(mocker, is_there):
    told = {"port": "p", "ok": is_there, "why": "it has no LED"}
    mocker.patch.object(locate, "_by_cable", return_value=told)
    assert _code(locate.command) == (0 if is_there else FAILED)


def test_nothing_heard(board, mocker, tmp_path):
    mocker.patch.object(console, "open_console")
    mocker.patch.object(console, "lines", return_value=iter(()))
    assert _code(logs.command) == DEVICE
    mocker.patch("host_tools.desk.wires.open_serial")
    heard = SimpleNamespace(count=0, pieces=0, hint="", as_dict=dict)
    mocker.patch("host_tools.desk.line_record.record", return_value=heard)
    assert _code(capture.command, tmp_path / "line.bin") == DEVICE


def test_a_silent_broker(mocker):
    mocker.patch("host_tools.remote.listener.listen", lambda *a: lambda: None)
    assert _code(monitor.command, broker="127.0.0.1:1", seconds=0.01) == NETWORK


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("stopped", FAILED)])
def test_rollout(mocker, tmp_path, state, code):
    (tmp_path / "x.ecl").write_bytes(b"")
    (tmp_path / "keys.json").write_text("{}")
    mocker.patch("host_tools.packing.release.read_public")
    mocker.patch("host_tools.packing.release.verify")
    mocker.patch("host_tools.remote.serve_bundle.BundleServer")
    made = mocker.patch("host_tools.remote.rollout.Rollout").return_value
    made.state, made.why, made.bundle.version = state, "one failed", "1"
    made.members = [Member("gw-a", 0, "failed", "old")] if code else []
    places = {"broker": "127.0.0.1:1", "keys": tmp_path / "keys.json"}
    places |= {"public": tmp_path / "x.pub", "state": tmp_path / "state.json"}
    assert _code(rollout.command, tmp_path / "x.ecl", **places) == code
