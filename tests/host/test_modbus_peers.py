"""Our driver and our meters against three that are not ours: pymodbus, libmodbus, mbpoll."""

import asyncio
import random
import re
import shutil
import struct
import subprocess
import threading
from decimal import Decimal
from typing import Any

import pytest
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers import load_map
from drivers.modbus import Modbus
from drivers.reading import decimal_text
from host_tools.desk.master import Master
from host_tools.desk.reader import Request, read_meter
from host_tools.desk.wires import SocketWire
from host_tools.planning.map_file import map_names
from host_tools.sim.lines import LineSettings
from host_tools.sim.modbus_meter import Illegal, ModbusMeter
from host_tools.sim.pymodbus_meter import PymodbusMeter
from host_tools.sim.workbench import SerialBench, SocketBench
from tests.fakes import libmodbus
from tests.host.test_modbus_maps import random_value
from tests.skips import skip

_LINE = (9600, 8, "N", 1)
_WRITES = (
    (5, 7, True),
    (6, 20, 0x1234),
    (15, 100, (1, 0, 1, 1, 0, 0, 1, 0, 1)),
    (16, 200, (1, 0xFFFF, 3)),
)


def _wanted(table, seed):
    """Return {point: (value for the meter, decimal text or bytes that must be read)}."""
    draw = random.Random(seed)
    return {row[0]: random_value(row, draw) for row in table["points"]}


def _agree(reading, wanted):
    for point, value in zip(reading.points, reading.values, strict=True):
        expected = wanted[point.name][1]
        if isinstance(expected, bytes):
            assert value == expected, point.name
        else:
            got = Decimal(decimal_text(value, point.exponent))
            assert got == Decimal(expected), (point.name, got, expected)


def _image(table, unit, wanted):
    """Return read(function, address, count) -> registers or bits, of the whole meter."""
    unlimited = {**table, "max_registers": 125, "max_bits": 2000, "alone": (), "align": 1}
    meter = ModbusMeter(unlimited, unit, lambda name, now_s: wanted[name][0])

    def read(function, address, count):
        request = struct.pack(">BHH", function, address, count)
        answer = meter._execute(request, 0.0)[2:]
        if function <= 2:
            return [answer[i // 8] >> (i % 8) & 1 for i in range(count)]
        return list(struct.unpack(f">{count}H", answer))

    return read


# --- pymodbus


class PymodbusServer:
    """A pymodbus TCP server of one device, in a thread; see SimDevice."""

    def __init__(self, device):
        self._device = device
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self):
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    async def _start(self):
        self._server = ModbusTcpServer(self._device, address=("127.0.0.1", 0))
        await self._server.serve_forever(background=True)
        transport: Any = self._server.transport
        self.port = transport.sockets[0].getsockname()[1]

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _device(read, unit=3):
    """Return a pymodbus device whose registers and bits are those of read()."""

    async def fill(function, first, address, count, registers, written):
        if written is not None:
            return None
        if function <= 2:
            first_word, last_word = address // 16, (address + count - 1) // 16
            for word in range(first_word, last_word + 1):
                bits = read(function, 16 * word, 16)
                registers[word - first] = sum(bit << i for i, bit in enumerate(bits))
            return None
        try:
            registers[address - first : address - first + count] = read(function, address, count)
        except Illegal as illegal:
            return ExcCodes(illegal.code)
        return None

    registers = SimData(0, count=0xFFFF, values=0, datatype=DataType.REGISTERS)
    bits = SimData(0, values=[False] * 1024, datatype=DataType.BITS)
    return SimDevice(id=unit, simdata=([bits], [bits], [registers], [registers]), action=fill)


@pytest.mark.parametrize("name", map_names("modbus"))
def test_every_point_of_every_map_comes_exact_through_a_pymodbus_server(name):
    table = load_map(name)
    wanted = _wanted(table, name)
    with PymodbusServer(_device(_image(table, 3, wanted))) as server:
        wire = SocketWire("127.0.0.1", server.port)
        driver = Modbus(table, {"unit": 3, "transport": "tcp", "wait_ms": 0})
        reading = Master(wire, _LINE).read(driver).reading
        wire.close()
    _agree(reading, wanted)


@pytest.mark.parametrize("name", ["em340", "sdm630", "iem3155", "abb_b23"])
def test_a_pymodbus_server_on_a_paced_terminal_beside_a_meter_of_ours(name):
    table = load_map(name)
    values = {row[0]: Decimal(i + 1).scaleb(row[2]) for i, row in enumerate(table["points"])}
    other = ModbusMeter(load_map("sdm120"), 1, lambda point, now_s: Decimal("230.4"))
    theirs = PymodbusMeter(table, 2, lambda point, now_s: values[point])
    with SerialBench([other, theirs], LineSettings(38400, 8, "N", 1)) as bench:
        for map_name, unit in ((name, 2), ("sdm120", 1)):
            request = Request(
                map_name, port=bench.path, baud=38400, parity="N", options={"unit": unit}
            )
            shown = {value.name: value.value or "" for value in read_meter(request)}
            if unit == 1:
                assert shown["voltage"] == "230.4"
                continue
            for row in table["points"]:
                step = Decimal(1).scaleb(row[2])
                assert abs(Decimal(shown[row[0]]) - values[row[0]]) <= step, row
                if not row[6].startswith("float"):
                    assert Decimal(shown[row[0]]) == values[row[0]], row


@pytest.mark.parametrize("is_serial", [True, False])
def test_a_pymodbus_client_reads_and_writes_our_meter(is_serial):
    table = load_map("sdm630")
    transport = "rtu" if is_serial else "tcp"
    meter = ModbusMeter(table, 1, lambda p, now: Decimal("230.5"), transport=transport)
    with SerialBench([meter]) if is_serial else SocketBench([meter]) as bench:
        client: Any = (
            ModbusSerialClient(bench.path, baudrate=9600, timeout=2)
            if isinstance(bench, SerialBench)
            else ModbusTcpClient("127.0.0.1", port=bench.port, timeout=2)
        )
        assert client.connect()
        words = client.read_input_registers(0, count=2, device_id=1).registers
        assert client.convert_from_registers(words, client.DATATYPE.FLOAT32) == 230.5
        assert client.read_input_registers(0, count=81, device_id=1).exception_code == 3
        assert client.write_registers(24, [1, 2], device_id=1).isError() is False
        assert client.write_coil(3, True, device_id=1).isError() is False
        client.close()
    assert meter.written == [(16, 24, [1, 2]), (5, 3, [0xFF00])]


# --- libmodbus


@pytest.fixture(scope="module")
def lib():
    found = libmodbus.library()
    if found is None:
        skip("libmodbus is not installed: apt-get install libmodbus5")
    return found


@pytest.mark.parametrize("name", map_names("modbus"))
def test_every_point_of_every_map_comes_exact_through_a_libmodbus_server(lib, name):
    table = load_map(name)
    wanted = _wanted(table, name)
    read = _image(table, 3, wanted)
    with libmodbus.Server(lib, 3) as server:
        driver = Modbus(table, {"unit": 3, "transport": "tcp", "wait_ms": 0})
        tables = {1: server.bits, 2: server.input_bits, 3: server.holdings, 4: server.inputs}
        offset = 40070 if "models" in table else 0
        if offset:
            _copy(server.holdings, read, 3, 40000, 72)  # marker, model 1, head
        for function, address, count, _, _ in driver.plan.steps:
            _copy(tables[function], read, function, address + offset, count)
        wire = SocketWire("127.0.0.1", server.port)
        reading = Master(wire, _LINE).read(driver).reading
        wire.close()
    _agree(reading, wanted)


def _copy(table, read, function, address, count):
    for i, value in enumerate(read(function, address, count)):
        table[address + i] = value


def test_what_we_write_arrives_at_a_libmodbus_server(lib):
    with libmodbus.Server(lib, 1) as server:
        wire = SocketWire("127.0.0.1", server.port)
        driver = Modbus(load_map("em340"), {"unit": 1, "transport": "tcp", "points": ["power"]})
        for function, address, values in _WRITES:
            driver.write(function, address, values)
            Master(wire, _LINE).read(driver)
            assert driver.written == 0, function
        wire.close()
        assert server.bits[7] == 1 and server.bits[6] == 0
        assert [server.bits[i] for i in range(100, 109)] == list(_WRITES[2][2])
        assert server.holdings[20] == 0x1234
        assert [server.holdings[i] for i in range(200, 203)] == [1, 0xFFFF, 3]


@pytest.mark.parametrize("is_serial", [True, False])
def test_a_libmodbus_client_reads_and_writes_our_meters(lib, is_serial):
    table = load_map("em24_e1")
    transport = "rtu" if is_serial else "tcp"
    wanted = _wanted(table, "libmodbus")
    options: Any = {"transport": transport, "holes": False}
    meter = ModbusMeter(table, 1, lambda p, now: wanted[p][0], **options)
    contacts = ModbusMeter(load_map("contacts8"), 2, lambda p, now: p == "input_3", **options)
    line = LineSettings(19200, 8, "N", 1)
    with SerialBench([meter, contacts], line) if is_serial else SocketBench([meter]) as bench:
        where = (
            {"path": bench.path, "baud": 19200}
            if isinstance(bench, SerialBench)
            else {"port": bench.port}
        )
        with libmodbus.Client(lib, 1, **where) as client:
            low, high = client.registers(4, 0, 2)
            raw = (high << 16 | low) - (high >> 15 << 32)
            assert Decimal(raw).scaleb(-1) == Decimal(wanted["voltage_l1"][1])
            with pytest.raises(OSError, match="Illegal data address"):
                client.registers(4, 0x0A00, 2)
            client.write(0x1000, [7, 8])
        assert meter.written == [(16, 0x1000, [7, 8])]
        if is_serial:
            with libmodbus.Client(lib, 2, **where) as client:
                assert client.bits(2, 0, 8) == [0, 0, 1, 0, 0, 0, 0, 0]


def test_mbpoll_shows_what_our_meter_measures():
    if not shutil.which("mbpoll"):
        skip("mbpoll is not installed: apt-get install mbpoll")
    meter = ModbusMeter(load_map("sdm630"), 5, lambda p, now: Decimal("229.5"))
    with SerialBench([meter]) as bench:
        options = "-m rtu -a 5 -b 9600 -P none -t 3:float -B -r 1 -c 3 -1 -o 2"
        done = subprocess.run(
            ["mbpoll", *options.split(), bench.path],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^\[\d+\]:\s+(\S+)", done.stdout, re.MULTILINE) == ["229.5"] * 3
