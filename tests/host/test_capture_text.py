"""Captures kept as text: what each way of writing bytes down is taken for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from host_tools.desk.capture import Parser, read_capture
from host_tools.desk.capture_text import bytes_of
from host_tools.problems import INPUT, Problem
from tests.vectors.frames import FRAMES

_FRAME = FRAMES["mbus"][0]  # 68 L L 68 ... 16
_HEX = _FRAME.hex()
_PAIRS = _FRAME.hex(" ")


def _xxd(data: bytes, wide: int = 16) -> str:
    rows = []
    for at in range(0, len(data), wide):
        part = data[at : at + wide]
        groups = " ".join(part[i : i + 2].hex() for i in range(0, len(part), 2))
        letters = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        rows.append(f"{at:08x}: {groups:<39}  {letters}")
    return "\n".join(rows) + "\n"


def _hexdump(data: bytes) -> str:
    rows = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        letters = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        rows.append(f"{at:08x}  {part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  |{letters}|")
    return "\n".join([*rows, f"{len(data):08x}"]) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        _HEX,
        _HEX.upper() + "\n",
        _PAIRS,
        _PAIRS.replace(" ", ":") + ":\n",
        _PAIRS.replace(" ", "\r\n"),
        _PAIRS.replace(" ", "\t"),
        _PAIRS.replace(" ", "-"),
        ", ".join(f"0x{byte:02X}" for byte in _FRAME),
        "{" + ",".join(f"0x{byte:02X}" for byte in _FRAME) + "};  // a frame\n",
        "\n".join(_HEX[i : i + 41] for i in range(0, len(_HEX), 41)),  # odd digits in a line
        "-\n".join(_HEX[i : i + 40] for i in range(0, len(_HEX), 40)) + "\n",
        f'"{_HEX}",\n',
        "\ufeff" + _PAIRS,
        f"RX: {_PAIRS}\n",
        f"[12:34:56.789] <- {_PAIRS}\nclosed\n",
        f"2024-01-02 12:34:56 {_PAIRS}\n",
        f"[2017-09-12 23.18.43.731 - Received 41 (0x29) bytes]\n{_PAIRS}\n\n",
        _xxd(_FRAME),
        _hexdump(_FRAME),
        _xxd(_FRAME, 32),
        "\x1b[37m" + _PAIRS.replace(" ", "\x1b[0m \x1b[92m") + "\x1b[0m\n",
        'frame = b"' + "".join(f"\\x{byte:02x}" for byte in _FRAME) + '"\n',
        f"<capture><frame>{_PAIRS}</frame></capture>",
        f'<log><rx data="{_HEX}"/></log>',
    ],
    ids=range(24),
)
def test_each_way_of_writing_bytes_means_the_same(text: str) -> None:
    assert bytes_of(text.encode(), "mbus") == _FRAME
    assert bytes_of(text.encode("utf-16"), "mbus") == _FRAME


@pytest.mark.parametrize("protocol", sorted(set(FRAMES) - {"pulse", "contact", "level", "radar"}))
def test_frames_come_back_from_dumps_and_are_never_taken_for_text(protocol: str) -> None:
    for frame in FRAMES[protocol]:
        assert bytes_of(frame, protocol) == frame
        for text in (frame.hex(" "), _xxd(frame), _hexdump(frame), _xxd(frame * 3, 8)):
            assert bytes_of(text.encode(), protocol) in (frame, frame * 3), text


@pytest.mark.skipif(not shutil.which("od"), reason="no od here")
def test_od_is_understood() -> None:
    done = subprocess.run(["od", "-A", "x", "-t", "x1"], input=_FRAME, stdout=-1, check=True)
    assert bytes_of(done.stdout, "mbus") == _FRAME


def test_dumps_one_after_the_other_are_one_capture() -> None:
    assert bytes_of((_xxd(_FRAME) + _xxd(_FRAME)).encode(), "mbus") == _FRAME * 2
    assert bytes_of(("started\n" + _hexdump(_FRAME)).encode(), "mbus") == _FRAME


def test_a_meters_own_text_stays_as_it_is() -> None:
    for protocol, text in (
        ("radar", b"045\r\n000\r\n"),
        ("radar", b'{"speed":0.58, "direction":"inbound"}\r\n'),
        ("level", b"R1234\r"),
        ("tic", b"\nADCO 012345678901 B\r\nPAPP 00120 #\r"),
        ("dsmr", b"/XYZ5A\r\n\r\n1-0:1.8.1(00608.400*kWh)\r\n!\r\n"),
        ("iec62056", b"0.0.0(12345678)\r\n1.8.0(000285.4*kWh)\r\n"),
        ("iec62056", b"P.01(1220823161500)(08)(15)(1)(1.5)(kW)\r\n(0.5)\r\n"),
    ):
        assert bytes_of(text, protocol) == text
        assert bytes_of(text.hex().encode(), protocol) == text
        assert bytes_of(text.decode().encode("utf-16"), protocol) == text


def test_controls_written_by_name_are_controls() -> None:
    text = "<STX>\n<LF>ADCO 012345678901 B<CR>\n<LF>PTEC TH.. $<CR>\n<ETX>\n"
    assert bytes_of(text.encode(), "tic") == (b"\x02\nADCO 012345678901 B\r\nPTEC TH.. $\r\x03")
    assert (
        bytes_of(rb'"\x02\nEAST\t011887649\t$\r\x03"', "tic") == b"\x02\nEAST\t011887649\t$\r\x03"
    )


def test_the_xml_of_a_translated_notification_is_read(tmp_path: Path) -> None:
    path = tmp_path / "push.xml"
    path.write_text(
        """<GatewayRequest><DataNotification><LongInvokeIdAndPriority Value="40000000" />
        <DateTime Value="07E60118011\x32\x33A32FF800000" /><NotificationBody><DataValue>
        <Structure Qty="05"><String Value="Kamstrup_V0001" /><!--1.1.1.8.0.255-->
        <OctetString Value="0101010800FF" /><UInt32 Value="001194CA" />
        <OctetString Value="0101150700FF" /><UInt32 Value="00000024" />
        </Structure></DataValue></NotificationBody></DataNotification></GatewayRequest>"""
    )
    told = [(v.code, v.value, v.unit) for v in Parser("dlms").values(read_capture(path))]
    assert told == [("1-1:1.8.0*255", "11522020", "Wh"), ("1-1:21.7.0*255", "36", "W")]


@pytest.mark.parametrize(
    "text",
    [
        "Bonjour, voici le compteur.\n",
        "68 0b 0b 6\n",
        "<MBusData><DataRecord id='0'><Value>1</Value></DataRecord></MBusData>",
        "<MBusData><DataRecord>",
        "aGVsbG8gd29ybGQ=\n",
    ],
)
def test_what_holds_no_bytes_is_said_clearly(text: str) -> None:
    with pytest.raises(Problem) as raised:
        bytes_of(text.encode(), "mbus")
    assert raised.value.code == INPUT
    assert raised.value.remedy
