"""The mock as its README offers it to other projects: the example runs as it is written there."""

import random
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.exceptions import ModbusException

from drivers import load_map
from host_tools.sim.modbus_faults import NAMES, Faults, crc
from host_tools.sim.modbus_meter import ModbusMeter

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "host_tools" / "sim" / "README.md").read_text()


def test_the_example_in_python_runs_as_it_is_written() -> None:
    code = re.search(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert code
    seen: list[Any] = []

    def your_master(path: str) -> None:
        client: Any = ModbusSerialClient(path, baudrate=9600, timeout=1, retries=0)
        assert client.connect()
        for address in (0, 0, 2):
            try:
                words = client.read_input_registers(address, count=2, device_id=1).registers
                seen.append(client.convert_from_registers(words, client.DATATYPE.FLOAT32))
            except ModbusException:
                seen.append(None)
        client.close()

    names: dict[str, Any] = {"your_master": your_master}
    exec(code[1], names)
    assert seen[0] is None and seen[1] == pytest.approx(230.4, abs=1e-4)
    assert names["meter"].requests == [(4, 0, 2), (4, 0, 2), (4, 2, 2)]


def test_the_examples_on_the_command_line_run_as_they_are_written(tmp_path: Path) -> None:
    commands = re.findall(r"^\$ eclor (mock .*?)(?:\s+#.*)?$", README, re.MULTILINE)
    assert len(commands) == 3
    (tmp_path / "our_meter.py").write_text((ROOT / "drivers/maps/sdm120.py").read_text())
    for command in commands:
        words = [word.strip('"') for word in command.split()]
        if "--tcp" in words:
            words[words.index("--tcp") + 1] = "0"  # 5020 may be taken on this computer
        mock = subprocess.Popen(
            [sys.executable, "-m", "host_tools", *words, "--seconds", "20"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert mock.stdout and mock.stderr
        place = mock.stdout.readline().strip()
        mock.terminate()
        mock.wait(10)
        assert place.startswith(("/dev/pts/", "127.0.0.1:")), mock.stderr.read()
        mock.stdout.close()
        mock.stderr.close()


def _request() -> bytes:
    body = bytes((1, 4, 0, 0, 0, 4))
    return body + crc(body)


def test_every_fault_comes_by_the_seed_and_in_the_same_order_each_time() -> None:
    table = load_map("sdm630")
    runs = []
    for _ in range(2):
        faults = Faults.seeded(7, 0.5)
        meter = ModbusMeter(table, 1, lambda name, now_s: Decimal(230), faults=faults)
        runs.append(([meter.received(_request(), 0.0) for _ in range(2000)], faults.applied))
    assert runs[0] == runs[1]
    applied = runs[0][1]
    assert set(applied) == {"", *NAMES}
    assert 0.45 < sum(name != "" for name in applied) / 2000 < 0.55
    assert applied != [Faults.seeded(8, 0.5)._draw() for _ in range(2000)]


def test_the_readme_names_every_fault_and_every_fault_does_what_it_says() -> None:
    told = re.search(r"- Faults .*?(?=\n- )", README, re.DOTALL)
    assert told
    for name in NAMES:
        assert name.partition(":")[0] in told[0], name
    table = load_map("sdm630")
    good = ModbusMeter(table, 1, lambda name, now_s: Decimal(230)).received(_request(), 0.0)
    assert len(good) == 1 and good[0][0] == 0
    for name in NAMES:
        meter = ModbusMeter(table, 1, lambda name, now_s: Decimal(230), faults=Faults(("", name)))
        meter.received(_request(), 0.0)
        pieces = meter.received(_request(), 0.0)
        if name != "stale":  # the answer before, which is the same here
            assert pieces != good, name
        whole = b"".join(data for _, data in pieces)
        if name.startswith("exception:"):
            assert whole[1] == 0x84 and whole[2] == int(name.partition(":")[2])
        if name in ("noisy", "echo", "half_echo", "foreign", "split", "late", "slow"):
            assert whole.endswith(good[0][1]), name


def test_a_share_of_faults_is_what_was_asked_for() -> None:
    chance = random.Random(1)
    for share in (0.0, 0.1, 1.0):
        faults = Faults.seeded(chance.randrange(1000), share, ("crc",))
        drawn = [faults._draw() for _ in range(1000)]
        assert abs(drawn.count("crc") / 1000 - share) < 0.05


def test_the_mock_over_tcp_serves_another_makes_client() -> None:
    mock = subprocess.Popen(
        [
            *(sys.executable, "-m", "host_tools", "mock", "--map", "sdm630", "--tcp", "0"),
            *("--value", "voltage_l1=231.5", "--seconds", "30"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert mock.stdout
    host, _, port = mock.stdout.readline().strip().partition(":")
    client: Any = ModbusTcpClient(host, port=int(port), timeout=3)
    assert client.connect()
    words = client.read_input_registers(0, count=2, device_id=1).registers
    client.close()
    mock.terminate()
    mock.wait(10)
    mock.stdout.close()
    assert client.convert_from_registers(words, client.DATATYPE.FLOAT32) == 231.5
