"""`eclor locate`: by the broker to a gateway that runs, by cable to a board that has a LED."""

import json
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

import host_tools.cable.ports
import host_tools.cable.prompt
import host_tools.remote.serve_bundle
from host_tools import language
from host_tools.commands import locate
from host_tools.problems import FAILED, OK, Problem
from host_tools.remote.serve_bundle import Heard


class FakePrompt:
    files_there: dict[str, int] = {}
    did: list[str] = []

    def __init__(self, port):
        self.did.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def files(self, folder="", *, deep=True):
        return self.files_there

    def enter_maintenance(self, minutes):
        self.did.append(f"maintenance {minutes}")

    def run(self, script, wait_s):
        compile(script, "script", "exec")
        self.did.append(script)

    def reset(self):
        self.did.append("reset")


@pytest.mark.parametrize("has_led", [True, False])
def test_by_cable_it_stops_blinks_and_starts(monkeypatch, capsys, has_led):
    monkeypatch.setattr(host_tools.cable.prompt, "Prompt", FakePrompt)
    monkeypatch.setattr(
        host_tools.cable.ports, "choose", lambda port: SimpleNamespace(port="/dev/x")
    )
    monkeypatch.setattr(FakePrompt, "files_there", {"led": 3} if has_led else {"main.py": 1})
    with pytest.raises(typer.Exit) as ended:
        locate.command(port="/dev/x", seconds=90, as_json=True)
    assert ended.value.exit_code == (OK if has_led else FAILED)
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] == has_led and FakePrompt.did[-1] == "reset"
    if has_led:
        assert FakePrompt.did[0] == "maintenance 3"
        assert "range(360)" in FakePrompt.did[1] and "shine" in FakePrompt.did[1]
    else:
        assert FakePrompt.did == ["reset"] and "no LED" in told["why"]


class FakeServer:
    answer: dict[str, object] | None = {"ok": True}

    def __init__(self, host, port, data, keys, context):
        assert context is None  # without TLS, as asked
        self.address = (host, port)
        self.heard = {gateway: Heard() for gateway in keys}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def command(self, gateway, counter, do, args):
        assert (do, args) == ("locate", {"seconds": 60}) and self.address == ("10.0.0.1", 1883)
        if self.answer:
            self.heard[gateway].answers[f"{do}-{counter}"] = self.answer

    def wait(self, ready, seconds):
        return ready()


def test_by_the_broker_its_answer_counts(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(host_tools.remote.serve_bundle, "BundleServer", FakeServer)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"gw-a": "ab" * 32}))
    for answer, code, words in (
        ({"ok": True}, OK, "gw-a: its LED blinks quickly, for 60 s"),
        ({"ok": False, "why": "this board has no LED"}, FAILED, "gw-a: no: this board has no LED"),
    ):
        monkeypatch.setattr(FakeServer, "answer", answer)
        with pytest.raises(typer.Exit) as ended:
            locate.command("gw-a", "10.0.0.1:1883", keys, seconds=60, as_json=False)
        assert ended.value.exit_code == code and words in capsys.readouterr().out
    monkeypatch.setattr(FakeServer, "answer", {"ok": False, "why": "clock_unset"})
    language.use("fr")
    for as_json, words in ((False, "non : son horloge n'est pas encore"), (True, '"clock_unset"')):
        with pytest.raises(typer.Exit):
            locate.command("gw-a", "10.0.0.1:1883", keys, seconds=60, as_json=as_json)
        assert words in capsys.readouterr().out
    language.use("en")
    monkeypatch.setattr(FakeServer, "answer", None)
    for words, args in (
        ("does not answer", ("gw-a", "10.0.0.1:1883", keys)),
        ("no key of", ("gw-b", "10.0.0.1:1883", keys)),
        ("not HOST:PORT", ("gw-a", "10.0.0.1", keys)),
        ("are needed", ("gw-a", "", keys)),
    ):
        with pytest.raises(Problem, match=words):
            locate.command(*args, seconds=60)


def test_it_is_a_verb_of_eclor():

    app = typer.Typer()
    app.command(locate.NAME)(locate.command)
    assert "LED" in CliRunner().invoke(app, ["--help"]).output
