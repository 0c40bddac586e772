"""A site file from answers, what changes between two, and a line recorded for the desk."""

import json
import os
import pty
import threading
import time
from typing import Any, cast

import pytest

from host_tools.desk import line_record
from host_tools.planning.site_file import read_site
from host_tools.planning.site_new import Interview, difference
from host_tools.planning.site_words import sample
from host_tools.problems import DEVICE, INPUT, USAGE
from tests.messages import ROOT
from tests.typed import eclor

_ANSWERS = {
    "Name of the place": ["Town hall", "town-hall"],
    "Name of the gateway": [""],
    "Board": ["rpi_pico", "rpi_pico_w"],
    "Name of the WiFi": ["Town hall"],
    "Its key": ["long-enough"],
    "Address": ["broker.example"],
    "Name of a meter": ["boiler", "producer", "water", "door", ""],
    "Its make": ["eastron sdm", "sdm630", "linky producer", "nonsense", "pulse_volume", "door"],
    "Which UART": ["", "uart1"],
    "Seconds": ["", "often", "300", "", ""],
    "unit": ["17"],
    "input": ["", "2"],
}


def _conversation():
    left = {question: list(answers) for question, answers in _ANSWERS.items()}
    told: list[str] = []

    def ask(question, default):
        (key,) = [key for key in left if question.startswith(key)]
        return left[key].pop(0) or default

    values = Interview(ask, told.append).run()
    assert not any(left.values()), left
    return values, told


def test_answers_become_a_site_that_is_good(tmp_path):
    values, told = _conversation()
    path = tmp_path / "site.yaml"
    path.write_text(sample(values))
    site = read_site(path)
    assert [(f.path, f.is_wrong) for f in site.findings] == [("gateways[0].board", False)]
    config = site.gateways[0].config
    assert config["gateway"] == "gw-town-hall" and config["uplink"]["host"] == "broker.example"
    assert [(m["name"], m["port"], m["map"]) for m in config["meters"]] == [
        ("boiler", "uart0", "sdm630"),
        ("producer", "uart1", "linky_producer"),
        ("water", "inputs", "pulse_volume"),
        ("door", "inputs", "contact_door"),
    ]
    assert config["meters"][0]["options"] == {"unit": 17}
    assert config["meters"][3]["options"] == {"input": 2}
    linky = config["ports"][1]
    assert (linky["baud"], linky["bits"], linky["parity"]) == (9600, 7, "E")
    assert config["journal"]["size_kb"] == 176, "what a Pico W has room for"
    assert any("letters, digits" in words for words in told)
    assert "did you mean rpi_pico_w?" in told and "digits alone" in told
    assert "no meter of that name is known" in told


def test_what_changes_is_said_by_name_and_secrets_are_not(tmp_path):
    values, _ = _conversation()
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(sample(values))
    values["meters"].reverse()
    new.write_text(sample(values))
    assert list(difference(read_site(old), read_site(new))) == [], "the order is no change"
    values["meters"][-1]["interval_s"] = 5
    values["meters"].pop(0)
    values["network"]["wifi"][0]["key"] = "another-key"
    new.write_text(sample(values))
    changes = list(difference(read_site(old), read_site(new)))
    assert "gw-town-hall: meters[boiler].interval_s: 60 -> 5" in changes
    assert "gw-town-hall: meters[door].map: contact_door -> nothing" in changes
    assert [c for c in changes if "wifi[Town hall].key: (not shown) -> (not shown)" in c]
    assert "another-key" not in str(changes)
    values["gateway"] = "gw-2"
    new.write_text(sample(values))
    assert list(difference(read_site(old), read_site(new))) == [
        "+ gateway gw-2",
        "- gateway gw-town-hall",
    ]


def test_the_commands(tmp_path):
    path = tmp_path / "site.yaml"
    done = eclor("site", "new", str(path), text="place\n\nesp32_poe\n\n\n")
    assert done.returncode == 0, done.stderr
    assert read_site(path).is_good
    assert eclor("site", "new", str(path)).returncode == INPUT
    done = eclor("site", "new", str(path), "--force", text="place\n")
    assert done.returncode == INPUT and "answers have ended" in done.stderr
    assert eclor("site", "diff", str(path), str(path)).returncode == 0
    done = eclor("site", "diff", str(path), str(ROOT / "site.example.yaml"))
    assert done.returncode == 1 and "+ gateway gw-town-hall" in done.stdout


# --- capture


class Wire:
    """A line that says what it was given, piece by piece."""

    def __init__(self, *pieces):
        self._pieces = list(pieces)

    def read(self, wait_s):
        if not self._pieces:
            raise KeyboardInterrupt
        time.sleep(0.04)
        return self._pieces.pop(0)


@pytest.mark.parametrize(
    ("pieces", "is_text", "hint"),
    [
        ((), False, line_record.NOTHING),
        ((b"", b"\x02ADCO 1234\x03", b"", b"rest"), True, ""),
        ((bytes(50),), False, line_record.ONE_VALUE),
        ((bytes(range(128, 200)),), True, line_record.NO_TEXT),
        ((bytes(range(128, 200)),), False, ""),
    ],
)
def test_a_recording_is_what_came_and_has_a_hint(tmp_path, pieces, is_text, hint):
    file = tmp_path / "x.bin"
    heard = line_record.record(cast(Any, Wire(*pieces)), file, 60, is_text=is_text)
    assert file.read_bytes() == b"".join(pieces)
    assert heard.count == len(b"".join(pieces)) and heard.hint == hint
    assert heard.pieces == len([p for p in pieces if p])


def test_a_line_is_captured_from_the_command_line(tmp_path):
    controller, terminal = pty.openpty()
    ended = threading.Event()

    def talk():
        while not ended.wait(0.1):
            os.write(controller, b"\x02hello\r\n\x03")

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        file = tmp_path / "line.bin"
        words = ["--port", os.ttyname(terminal), "--seconds", "0.6", "--json"]
        done = eclor("capture", str(file), *words)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["count"] == file.stat().st_size > 0 and told["hint"] == ""
        assert eclor("capture", str(file), *words).returncode == INPUT, "it is there already"
        assert eclor("capture", str(tmp_path / "y"), "--line", "fast").returncode == USAGE
    finally:
        ended.set()
        thread.join()
    words = ["--port", os.ttyname(terminal), "--seconds", "0.1"]
    done = eclor("capture", str(tmp_path / "z"), *words)
    assert done.returncode in (0, DEVICE)
    absent = ["--port", "/dev/nothing-here"]
    assert eclor("capture", str(tmp_path / "q"), *absent).returncode == DEVICE
    os.close(controller)
    os.close(terminal)
