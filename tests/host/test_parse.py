"""`eclor parse` as a technician runs it."""

import json
from pathlib import Path

import pytest

from drivers import DRIVERS
from drivers.gcm import GCM
from host_tools.desk.capture import Parser, read_capture
from host_tools.problems import Problem
from tests.typed import eclor
from tests.vectors.frames import BODIES, CLOSE

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "../shared/corpus"
# edited after their checksum was made, or without any value
_WITHOUT_VALUES = {
    "lvzon_p1-example-4.0.telegram",
    "lvzon_p1-example-5.0.telegram",
    "amshan_hdlc_FRAME_SHORT_INFO.hdlc.hex",
    "amshan_hdlc_STUFFED_FRAME_SHORT_INFO.hdlc.hex",
    "DZG_DVS-7420.2V.G2_mtr1_error.bin",
}
_GROUPS = ("ADSC\t012345678901", "EAST\t011887649", "SMAXSN\tH240210110331\t00986")


def _tic(*groups: str) -> bytes:
    parts = []
    for group in groups:
        summed = (group + "\t").encode()
        parts.append(b"\n" + summed + bytes([(sum(summed) & 0x3F) + 0x20]) + b"\r")
    return b"\x02" + b"".join(parts) + b"\x03"


def test_each_value_is_a_line_of_json(tmp_path: Path) -> None:
    path = tmp_path / "line.bin"
    path.write_bytes(b"noise\r" + _tic(*_GROUPS) + _tic("EAST\t011887650")[:-4] + b"\x03")
    done = eclor("parse", "tic", str(path), "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [line["code"] for line in lines] == ["ADSC", "EAST", "SMAXSN"]
    assert lines[1] == {
        "code": "EAST",
        "name": "energy_import",
        "value": "11887649",
        "unit": "Wh",
        "quality": "good",
        "time": None,
    }
    assert lines[2]["time"] == "2024-02-10T10:03:31Z"
    assert "012345678901" not in done.stdout
    assert "3 values, 1 damaged frames" in done.stderr


def test_nothing_readable_is_said_with_its_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "line.bin"
    path.write_bytes(b"\x00\x01\x02nothing")
    assert eclor("parse", "tic", str(path)).returncode == 1
    assert eclor("parse", "tic", str(tmp_path / "absent")).returncode == 3
    assert eclor("parse", "telex", str(path)).returncode == 2


def test_meter_numbers_are_shown_on_demand_only() -> None:
    shown = list(Parser("tic", identities=True).values(_tic(*_GROUPS)))
    assert shown[0].value == "012345678901"
    hidden = list(Parser("tic").values(_tic(*_GROUPS) * 2))
    assert hidden[0].value == hidden[3].value != shown[0].value


def test_an_encrypted_push_needs_its_key(tmp_path: Path) -> None:
    key, title, counter = bytes(range(16)), b"KFM\x01\x02\x03\x04\x05", b"\x00\x00\x00\x09"
    plain = BODIES["dlms"][0][3:]
    sealed = b"\x20" + counter + GCM(key).decrypt(title + counter, plain)
    head = b"\xe6\xe7\x00\xdb\x08" + title + bytes((len(sealed),))
    path = tmp_path / "push.hex"
    path.write_text(CLOSE["dlms"](head + sealed).hex(" "))
    done = eclor("parse", "dlms", str(path), "--json", "--key", key.hex())
    assert [json.loads(line)["value"] for line in done.stdout.splitlines()] == ["28.0"]
    done = eclor("parse", "dlms", str(path), "--json")
    assert done.returncode == 1
    assert "needs its key" in done.stderr
    assert eclor("parse", "dlms", str(path), "--key", "12").returncode == 2


def test_a_load_profile_of_months_is_read_whole() -> None:
    rows = b"".join(b"(%05d.5)(%05d.25)\r\n" % (i, i) for i in range(6000))
    data = b"P.01(1220823161500)(08)(15)(2)(1.5)(kW)(2.5)(kW)\r\n" + rows
    values = list(Parser("iec62056").values(b"/LGZ5id\r\n" + data + b"!\r\n"))
    assert len(values) == 12_001 and values[-1].value == "5999.25"
    assert (values[1].time, values[-1].time) == ("2022-08-23T14:15:00Z", "2022-10-25T02:00:00Z")


def test_octets_are_text_only_where_they_are_ascii() -> None:
    frame = BODIES["sml"][0].replace(b"\x55\x0a\x47\x1d\x53", b"\x05\xe0xSS")
    assert next(iter(Parser("sml").values(CLOSE["sml"](frame)))).value == "e0785353"
    frame = BODIES["sml"][0].replace(b"\x55\x0a\x47\x1d\x53", b"\x05EMH1")
    assert next(iter(Parser("sml").values(CLOSE["sml"](frame)))).value == "EMH1"
    frame = BODIES["mbus"][1].replace(b"CBA", b"C\xb0A")
    assert "A\xb0C" in [v.value for v in Parser("mbus").values(CLOSE["mbus"](frame))]


def test_the_columns_of_the_table_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "line.bin"
    path.write_bytes(b"\xff\x00\x05\x04\xff\x07\xa1\xa7")
    lines = eclor("parse", "level", str(path)).stdout.splitlines()
    rows = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in lines]
    assert ["distance", "distance", "", "m", "unavailable", ""] in rows


def test_hexadecimal_text_is_taken_for_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "frame.hex"
    path.write_text("ff 07 a1\nA7\n")
    assert [v.value for v in Parser("level").values(read_capture(path))] == ["1.953"]


@pytest.mark.parametrize("protocol", sorted(DRIVERS))
def test_every_protocol_survives_noise(protocol: str) -> None:
    for data in (b"", bytes(range(256)) * 4, b"\x00" * 700, b"\xff" * 700, b"/\n\x02\x68" * 200):
        parser = Parser(protocol)
        assert all(value.code for value in parser.values(data))


def test_a_wrong_option_is_a_problem() -> None:
    with pytest.raises(Problem, match="mode"):
        Parser("tic", {"mode": "fast"})


@pytest.mark.skipif(not CORPUS.exists(), reason="no ../shared/corpus here")
@pytest.mark.parametrize(
    ("protocol", "pattern"),
    [
        ("tic", "tic/*.bin"),
        ("sml", "sml/*.bin"),
        ("dsmr", "dsmr/*.telegram"),
        ("iec62056", "iec62056-21/*.d0"),
        ("mbus", "mbus/test-frames/*.hex"),
        ("dlms", "hdlc-dlms/*.hex"),
    ],
)
def test_captures_of_the_field_give_values(protocol: str, pattern: str) -> None:
    files = sorted(CORPUS.glob(pattern))
    silent = {f.name for f in files if not list(Parser(protocol).values(read_capture(f)))}
    assert files
    assert silent <= _WITHOUT_VALUES
