"""Rules of a gateway's configuration that only a computer with all boards and maps can check.

for note in rules(config, Path("."))     # config: from agent/config.validate
    note.path, note.rule, note.remedy
"""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boards
from agent.thin import lay_out, row_problem
from drivers import DRIVERS, load
from drivers.reading import TEXT, Point
from host_tools.planning.map_file import check_map, map_names, read_map
from host_tools.problems import Problem, did_you_mean

# Two firmware slots beside the journal, and room to write a file anew.
SLOTS_BYTES = 2 * 320 * 1024
SPARE_BYTES = 32 * 1024
# What an RP2 wants of its heap when the firmware is loaded from files: 200 KB for what `make heap`
# measures on 32 bits and the loop, 40 KB for TLS, which has the same heap there.
HEAP_BYTES = 240 * 1024
_DIAL_S = 240  # a modem dials for up to 180 s
_DAY_S = 86400


@dataclass(frozen=True)
class Note:
    """One finding below a gateway: path as meters[0].map."""

    path: str
    rule: str
    remedy: str = ""
    is_wrong: bool = True


def board_names() -> list[str]:
    """Return the names of boards/, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(boards.__path__))


def board(name: str) -> dict[str, Any]:
    """Return the BOARD of that name. Raises KeyError when there is none."""
    if name not in board_names():
        raise KeyError(name)
    return dict(importlib.import_module(f"boards.{name}").BOARD)


def room_kb(wired: dict[str, Any]) -> int:
    """Return the kilobytes that the journal of a board can have."""
    regions = {name: size for name, _, size in wired["flash"]["regions"]}
    if "journal" in regions:
        return int(regions["journal"]) // 1024
    return int(regions["files"] - SLOTS_BYTES - SPARE_BYTES) // 1024


def rules(config: dict[str, Any], folder: Path) -> Iterator[Note]:
    """Yield what is wrong; folder: where the site file is, a folder maps/ beside it counts."""
    try:
        wired = board(config["board"])
    except KeyError:
        names = board_names()
        if config["board"]:
            yield Note(
                "board", f"is not one of {', '.join(names)}", did_you_mean(config["board"], names)
            )
    else:
        yield from _on_board(config, wired)
    for i, meter in enumerate(config["meters"]):
        yield from _meter(i, meter, config["ports"], folder, sleeps=config["power"]["sleep"])
    if not config["meters"]:
        yield Note(
            "meters",
            "nothing is read",
            "name the meters; eclor scan finds those of a line",
            is_wrong=False,
        )
    if config["power"]["sleep"]:
        yield from _asleep(config)
    used = {meter["port"] for meter in config["meters"]}
    for i, port in enumerate(config["ports"]):
        if port["name"] and port["name"] not in used:
            yield Note(f"ports[{i}].name", "no meter is on this port", "remove it", is_wrong=False)


def _on_board(config: dict[str, Any], wired: dict[str, Any]) -> Iterator[Note]:
    if wired["port"] == "rp2" and wired["heap"] < HEAP_BYTES:
        yield Note(
            "board",
            f"the {wired['heap'] // 1024} KB of heap of {wired['title']} hold the firmware only "
            "when it is frozen into the image",
            "build that image (firmware/README.md), or take a Pico 2 W",
            is_wrong=False,
        )
    taken: dict[str, str] = {}
    for i, port in enumerate(config["ports"]):
        if port["kind"] == "tcp":
            continue
        is_uart = port["kind"] == "uart"
        key, known = ("uart", wired["uarts"]) if is_uart else ("pins", wired["pins"])
        for place, name in enumerate([port["uart"]] if is_uart else port["pins"]):
            path = f"ports[{i}].{key}" + ("" if is_uart else f"[{place}]")
            if not name:
                continue
            if name not in known:
                yield Note(
                    path,
                    f"{wired['title']} has no {name}; it has {', '.join(known)}",
                    did_you_mean(name, known),
                )
            elif name in taken:
                yield Note(path, f"{name} is taken by port {taken[name]}", "choose another")
            taken.setdefault(name, port["name"])
        if is_uart and port["rs485"] and known.get(port["uart"], {}).get("direction", 0) is None:
            yield Note(
                f"ports[{i}].rs485",
                f"{port['uart']} of {wired['title']} has no direction pin",
                "use a transceiver that turns by itself, or another UART",
                is_wrong=False,
            )
    yield from _network(config["network"], wired)
    if config["power"]["low_mv"] and not wired.get("supply"):
        yield Note(
            "power.low_mv",
            f"{wired['title']} has no pin that measures its supply",
            "leave it out, or describe your board's divider in boards/",
        )
    room = room_kb(wired)
    if wired["port"] != "unix" and config["journal"]["size_kb"] > room:
        yield Note(
            "journal.size_kb",
            f"{wired['title']} has room for {room} KB beside two firmware slots, "
            f"this is {config['journal']['size_kb']}",
            f"write journal: {{size_kb: {room}}}",
        )


def _network(network: dict[str, Any], wired: dict[str, Any]) -> Iterator[Note]:
    kinds = list(wired["interfaces"])
    if wired["port"] == "esp32":
        kinds.append("ppp")  # network.PPP is in every image of this port
    kind = network["kind"] or (kinds[0] if kinds else "")
    if network["kind"] and network["kind"] not in kinds:
        yield Note(
            "network.kind",
            f"{wired['title']} has no {kind}; it has {', '.join(kinds) or 'no radio, no cable'}",
            did_you_mean(kind, kinds),
        )
    elif kind == "ppp" and network["uart"] and network["uart"] not in wired["uarts"]:
        yield Note(
            "network.uart",
            f"{wired['title']} has no {network['uart']}; it has {', '.join(wired['uarts'])}",
            did_you_mean(network["uart"], wired["uarts"]),
        )
    elif kind == "wifi" and not network["wifi"]:
        yield Note(
            "network.wifi",
            "names no network: nothing can leave this gateway",
            "add network: {wifi: [{ssid: ..., key: ...}]}",
        )


def _asleep(config: dict[str, Any]) -> Iterator[Note]:
    """Yield what is allowed with power.sleep, and does not do what people may expect."""
    power = config["power"]
    if config["network"]["kind"] == "ppp" and power["awake_s"] < _DIAL_S:
        yield Note(
            "power.awake_s",
            f"a modem may dial for {_DIAL_S - 60} s, this is {power['awake_s']}",
            f"write awake_s: {_DIAL_S}",
            is_wrong=False,
        )
    if not config["clock"]["ntp"]:
        yield Note(
            "clock.ntp",
            "asleep the clock drifts, and no server is named",
            "name a time server",
            is_wrong=False,
        )
    wake_s = min((meter["interval_s"] for meter in config["meters"]), default=0)
    if wake_s * power["uplink_every"] > _DAY_S:
        yield Note(
            "power.uplink_every",
            f"it sends once in {wake_s * power['uplink_every'] // 3600} h: so long no order "
            "reaches it",
            is_wrong=False,
        )


class _Watched(dict[str, Any]):
    """The options of a meter; knows which of them the driver has looked at."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.seen: set[object] = set()

    def __getitem__(self, key: str) -> Any:
        self.seen.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.seen.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.seen.add(key)
        return super().__contains__(key)


def _meter(
    index: int,
    meter: dict[str, Any],
    ports: list[dict[str, Any]],
    folder: Path,
    *,
    sleeps: bool,
) -> Iterator[Note]:
    where = f"meters[{index}]."
    if meter["protocol"] not in DRIVERS or not meter["map"]:
        return
    own = folder / "maps" / f"{meter['map']}.py"
    try:
        if meter["map"] not in map_names() and own.exists():
            problems = check_map(own)
            for problem in problems:
                yield Note(
                    f"{where}map",
                    f"{own}:{problem.line}:{problem.column}: {problem.what}",
                    problem.remedy,
                )
            if problems:
                return
            table = read_map(str(own))
        else:
            table = read_map(meter["map"])
    except Problem as problem:
        names = map_names(meter["protocol"])
        yield Note(
            f"{where}map",
            problem.what,
            did_you_mean(meter["map"], names) or "eclor maps lists them",
        )
        return
    if table["protocol"] != meter["protocol"]:
        yield Note(
            f"{where}map",
            f"{meter['map']} is a map of {table['protocol']}, not of {meter['protocol']}",
            f"write protocol: {table['protocol']}, or choose another map",
        )
        return
    yield from _driver(where, meter, table, ports, sleeps=sleeps)


def _driver(
    where: str,
    meter: dict[str, Any],
    table: dict[str, Any],
    ports: list[dict[str, Any]],
    *,
    sleeps: bool,
) -> Iterator[Note]:
    names = [point[0] for point in table["points"]]
    unknown = False
    for place, name in enumerate(meter["points"]):
        if name not in names:
            unknown = True
            yield Note(
                f"{where}points[{place}]",
                f"{meter['map']} has no point {name}",
                did_you_mean(name, names) or f"it has {', '.join(names[:12])} ...",
            )
    if unknown:
        return
    options = _Watched(meter["options"])
    for port in ports:
        if port["name"] == meter["port"]:
            options["line"] = (port["baud"], port["bits"], port["parity"], port["stop"])
            if port["kind"] == "tcp":
                options.setdefault("transport", "tcp")
            wanted = table.get("line")
            if meter["protocol"] != "modbus" and wanted and wanted != options["line"]:
                yield Note(
                    f"{where}port",
                    f"{meter['map']} speaks {_line(wanted)}, the port is set to "
                    f"{_line(options['line'])}",
                    "set the port's baud, bits and parity, unless the meter was changed",
                    is_wrong=False,
                )
    options["points"] = meter["points"]
    try:
        driver = load(meter["protocol"])(table, options)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        given = next((key for key in meter["options"] if key in what), "")
        yield Note(
            f"{where}options" + (f".{given}" if given else ""),
            what,
            f"see the head of drivers/{DRIVERS[meter['protocol']][0]}.py",
        )
        return
    if sleeps and driver.request(bytearray(512)) == 0:
        yield Note(
            f"{where}protocol",
            f"{meter['protocol']} pushes: each wake waits for a telegram, what it says in a "
            "sleep is not heard",
            is_wrong=False,
        )
    for key in meter["options"]:
        if key not in options.seen:
            yield Note(
                f"{where}options.{key}",
                f"the driver {meter['protocol']} knows no such option",
                did_you_mean(key, options.seen) or "remove it",
            )
    yield from _thin(where, meter, [p for p in driver.points if p.kind != TEXT])


def _thin(where: str, meter: dict[str, Any], points: list[Point]) -> Iterator[Note]:
    """Yield what the points of a meter do not allow; rows that are wrong by themselves wait."""
    rows = meter["thin"]
    if any(row_problem(row, meter["interval_s"]) for row in rows):
        return
    names = [point.name for point in points]
    for path, rule in lay_out(points, rows)[1]:
        word = rule.removeprefix("this meter keeps no point ")
        if word != rule:
            yield Note(
                f"{where}thin{path}",
                rule,
                did_you_mean(word, names) or f"it keeps {', '.join(names)}",
            )
        elif path.endswith("deadband"):
            yield Note(f"{where}thin{path}", rule, 'write deadband: "0"')
        elif "points" in path:
            yield Note(f"{where}thin{path}", rule, "name it in one row only")
        elif "a state" in rule:
            yield Note(f"{where}thin{path}", rule, "leave it out of this row")
        else:
            yield Note(f"{where}thin{path}", rule, "write a multiple of it, or leave it out")


def _line(line: tuple[int, int, str, int]) -> str:
    return f"{line[0]} {line[1]}{line[2]}{line[3]}"
