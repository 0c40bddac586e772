"""Real exchanges of real meters, from public issue threads, through our driver and our parser."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import BadFrame, Refused
from drivers.modbus import Modbus
from drivers.reading import Reading
from host_tools.desk.capture import Parser

FRAMES = Path(__file__).resolve().parents[2] / "../shared/corpus/modbus/frames"
pytestmark = pytest.mark.skipif(not FRAMES.exists(), reason="no ../shared/corpus here")


def _exchanges() -> list[dict[str, Any]]:
    if not FRAMES.exists():
        return []
    rows = json.loads((FRAMES / "real_frames.json").read_text())
    return [row for row in rows if row["request"] and row["response"]]


def _driver(request: bytes, transport: str, kind: str = "") -> Modbus:
    """Return a driver that asks exactly what was asked."""
    body = request[6:] if transport == "tcp" else request
    unit, function = body[0], body[1]
    address, count = struct.unpack(">HH", body[2:6])
    if kind:
        rows = [("value", "", -6, "gauge", function, address, kind, 0, ())]
    else:
        one = "coil" if function <= 2 else "uint16"
        rows = [(f"r{i}", "", 0, "state", function, address + i, one, 0, ()) for i in range(count)]
    options = {"unit": unit, "transport": transport}
    return Modbus({"points": tuple(rows)}, options)


def _take(driver: Modbus, response: bytes, transport: str) -> list[Any]:
    found: list[Any] = []

    def emit(reading: Reading) -> None:
        found.extend(reading.values)

    out = bytearray(300)
    driver.request(out)
    if transport == "tcp":
        response = bytes(out[:2]) + response[2:]  # this request's own transaction
    at = 0
    while at < len(response):
        at = driver.feed(response, at, len(response), 0, emit)
    driver.feed(b"", 0, 0, 0, emit)
    return found


def _is_read(row: dict[str, Any]) -> bool:
    request = bytes.fromhex(row["request"])
    body = request[6:] if row["kind"] == "tcp" else request
    return 1 <= body[1] <= 4 and row.get("request_crc_ok", True)


def test_real_answers_give_their_registers_and_nothing_else_is_taken() -> None:
    read = refused = rejected = 0
    for row in _exchanges():
        if not _is_read(row):
            continue
        request, response = bytes.fromhex(row["request"]), bytes.fromhex(row["response"])
        kind = row["kind"]
        asked, told = (request[6:], response[6:]) if kind == "tcp" else (request, response[:-2])
        echoes = kind == "rtu" and response.startswith(request)
        if echoes:
            told = told[len(request) :]  # the adapter hears itself: the driver takes the rest
        driver = _driver(request, kind)
        count = int.from_bytes(asked[4:6], "big")
        size = (count + 7) // 8 if asked[1] <= 2 else 2 * count
        is_whole = (echoes or row.get("response_crc_ok", True)) and told[0] == asked[0]
        if is_whole and told[1] == asked[1] | 0x80:
            with pytest.raises(Refused) as error:
                _take(driver, response, kind)
            assert error.value.code == told[2]
            refused += 1
        elif is_whole and told[1] == asked[1] and len(told) == 3 + size and told[2] == size:
            data = told[3:]
            values = _take(driver, response, kind)
            if asked[1] <= 2:
                assert values == [data[i // 8] >> (i % 8) & 1 for i in range(count)]
            else:
                assert values == list(struct.unpack(f">{count}H", data)), row
            read += 1
        else:
            with pytest.raises((BadFrame, Refused)):
                assert _take(driver, response, kind) == [], row
                raise BadFrame("nothing was taken")
            rejected += 1
    assert read >= 20 and rejected >= 3, (read, refused, rejected)


def test_requests_are_byte_for_byte_those_of_the_field() -> None:
    seen = 0
    for row in _exchanges():
        if row["kind"] == "rtu" and _is_read(row):
            request = bytes.fromhex(row["request"])
            out = bytearray(300)
            count = _driver(request, "rtu").request(out)
            assert bytes(out[:count]) == request
            seen += 1
    assert seen >= 15


def test_floats_are_what_the_thread_says() -> None:
    seen = 0
    for row in _exchanges():
        meaning = row.get("meaning") or {}
        if "float32" not in meaning:
            continue
        driver = _driver(bytes.fromhex(row["request"]), row["kind"], "float32")
        (value,) = _take(driver, bytes.fromhex(row["response"]), row["kind"])
        assert value == pytest.approx(meaning["float32"] * 1e6, abs=1), row["source"]
        seen += 1
    assert seen >= 3


def test_the_parser_pairs_requests_and_answers_of_a_recording() -> None:
    rows = [
        row
        for row in _exchanges()
        if row["kind"] == "rtu" and row.get("request_crc_ok") and row.get("response_crc_ok")
    ]
    recording = b"".join(bytes.fromhex(row["request"] + row["response"]) for row in rows)
    parser = Parser("modbus", {})
    assert len(list(parser.values(recording))) >= 20
    assert parser.errors == []


def test_the_stale_answer_of_the_trace_is_never_another_registers_value() -> None:
    trace = json.loads((FRAMES / "stale_reply_trace.json").read_text())["trace"]
    stale = bytes.fromhex(trace[-1]["rx"])
    driver = _driver(bytes.fromhex(trace[-1]["tx"]), "rtu")
    found: list[Any] = []
    # it comes while the line is being drained, when nothing is asked
    driver.feed(stale, 0, len(stale), 0, lambda reading: found.extend(reading.values))
    assert found == [] and driver.strays == len(stale)
