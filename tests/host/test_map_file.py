"""A technician's own map: what is wrong with it, and where."""

import subprocess
import sys
from pathlib import Path

import pytest

from drivers import load
from host_tools.planning.map_file import MapProblem, check_map, map_names, own_maps, read_map
from host_tools.problems import Problem
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parents[2]
_GOOD = '''"""Our meter."""

MAP = {
    "protocol": "modbus",
    "maker": "Us",
    "model": "One",
    "source": "its manual",
    "line": (9600, 8, "N", 1),
    "words": "ABCD",
    "max_registers": 8,
    "points": (
        ("energy_import", "Wh", 0, "counter", 3, 0, "uint32", 1),
        ("power", "W", -1, "gauge", 3, 2, "int16", -1, (0x8000,)),
        ("door", "", 0, "state", 2, 0, "coil"),
    ),
}
'''


def _check(tmp_path: Path, text: str) -> list[MapProblem]:
    path = tmp_path / "ours.py"
    path.write_text(text)
    return check_map(path)


def test_a_good_map_has_no_problem_and_makes_a_driver(tmp_path: Path) -> None:
    assert _check(tmp_path, _GOOD) == []
    table = read_map(str(tmp_path / "ours.py"))
    assert [point.name for point in load("modbus")(table, {}).points] == [
        "energy_import",
        "power",
        "door",
    ]


@pytest.mark.parametrize("name", map_names())
def test_every_map_of_the_project_follows_the_rules(name: str) -> None:
    assert check_map(ROOT / "drivers" / "maps" / f"{name}.py") == []


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ('"uint32"', '"unit32"', (12, 53), "did you mean uint32"),
        ('"counter"', '"count"', (12, 36), "did you mean counter"),
        ('3, 2, "int16"', '3, 40001 + 2, "int16"', (13, 40), "plain value"),
        ('3, 2, "int16"', '3, 400002, "int16"', (13, 40), "0 .. 65535; addresses count from 0"),
        ('3, 2, "int16"', '5, 2, "int16"', (13, 37), "function code 5 does not read"),
        ('"coil"', '"uint16"', (14, 40), "coil goes with function 1 and 2"),
        ('"door"', '"power"', (14, 10), "there twice, first in line 13"),
        ('"power"', '"Power"', (13, 10), "lower case"),
        ('"words": "ABCD"', '"words": "ABDC"', (9, 14), "none of ABCD"),
        ('"words"', '"word"', (9, 5), "did you mean words"),
        ('"max_registers": 8', '"max_registers": 126', (10, 22), "1 .. 125"),
        ('"max_registers": 8', '"max_registers": 1', (12, 53), "2 registers, and max_registers"),
        ('"N", 1)', '"X", 1)', (8, 13), '(9600, 8, "N", 1)'),
        ('"modbus"', '"modbuss"', (4, 17), "did you mean modbus"),
        ('"maker": "Us",', "", (3, 7), "maker is required"),
        ("(0x8000,)", "0x8000", (13, 56), "(0x8000,)"),
        ('"int16", -1', '"int16", 0.1', (13, 52), "scale 0.1"),
        ("    ),\n}", "    ),\n", (3, 7), "syntax"),
        ('"""Our meter."""', "import os", (1, 1), "nothing else"),
        ('"W", -1', '"W", -19', (13, 24), "-18 .. 18"),
    ],
)
def test_a_mistake_is_found_where_it_is(
    tmp_path: Path, old: str, new: str, where: tuple[int, int], words: str
) -> None:
    assert old in _GOOD
    (problem, *_) = _check(tmp_path, _GOOD.replace(old, new, 1))
    assert (problem.line, problem.column) == where, str(problem)
    assert words in str(problem)


def test_all_mistakes_are_told_at_once_and_nothing_is_run(tmp_path: Path) -> None:
    text = _GOOD.replace('"counter"', '"count"').replace('"coil"', '"coils"')
    assert [p.line for p in _check(tmp_path, text)] == [12, 14]
    row = _GOOD.replace('3, 2, "int16"', '5, 70000, "int61"')
    assert [(p.line, p.column) for p in _check(tmp_path, row)] == [(13, 37), (13, 40), (13, 47)]
    ran = tmp_path / "ran"
    assert _check(tmp_path, f"MAP = open({str(ran)!r}, 'w')\n" + _GOOD)
    assert not ran.exists()


def test_what_only_the_driver_knows_is_told_too(tmp_path: Path) -> None:
    other = """MAP = {
    "protocol": "dsmr", "maker": "m", "model": "m", "source": "s",
    "points": (("a", "kW", 0, "gauge", 5),),
}
"""
    assert "code 5 is not a text" in str(_check(tmp_path, other)[0])
    assert _check(tmp_path, other.replace("5", '"1-0:1.7.0"')) == []
    level = other.replace("dsmr", "level").replace("5", '"distance"')
    assert "the level driver refuses it" in str(_check(tmp_path, level)[0])


def test_files_that_cannot_be_read_are_problems_and_no_traceback(tmp_path: Path) -> None:
    assert "No such file" in str(check_map(tmp_path / "none.py")[0])
    (tmp_path / "latin.py").write_bytes(b'# a\n"\xe9"\n')
    assert str(check_map(tmp_path / "latin.py")[0]).startswith("2:1: not UTF-8")
    with pytest.raises(Problem, match=r"none\.py:1:1"):
        read_map(str(tmp_path / "none.py"))
    with pytest.raises(Problem) as found:
        read_map("sdm999")
    assert "sdm" in found.value.remedy


def test_the_command_lists_maps_and_checks_files(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "host_tools", "maps", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    listed = run("--protocol", "modbus").stdout.splitlines()
    assert len(listed) >= 24 and any(line.startswith("sdm120 ") for line in listed)
    path = tmp_path / "ours.py"
    path.write_text(_GOOD.replace('"counter"', '"count"'))
    done = run(str(path))
    assert done.returncode == 3
    assert done.stdout.startswith(f"{path}:12:36: kind 'count' is none; did you mean counter?")


def test_a_gateway_reads_a_map_of_its_technician_compiled(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "ours.py").write_text(_GOOD)
    files = own_maps(tmp_path, ["ours", "sdm120"])
    assert list(files) == ["/maps/ours.mpy"], "what every gateway has is not sent to it"
    flash = tmp_path / "flash"
    (flash / "maps").mkdir(parents=True)
    (flash / "maps" / "ours.mpy").write_bytes(files["/maps/ours.mpy"])
    script = (
        f"import sys; sys.path[:] = [{str(flash)!r}, {str(ROOT)!r}, '.frozen']\n"
        "from drivers import forget_maps, load, load_map\n"
        "driver = load('modbus')(load_map('ours'), {'unit': 1})\n"
        "forget_maps()\n"
        "print([p.name for p in driver.points], 'maps.ours' in sys.modules)\n"
    )
    done = subprocess.run(
        [interpreter(), "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == "['energy_import', 'power', 'door'] False\n", done.stderr


def test_a_map_that_is_wrong_or_absent_never_leaves_for_a_gateway(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="No such file"):
        own_maps(tmp_path, ["ours"])
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "ours.py").write_text(_GOOD.replace('"coil"', '"coils"'))
    with pytest.raises(Problem, match="14:40"):
        own_maps(tmp_path, ["ours"])
