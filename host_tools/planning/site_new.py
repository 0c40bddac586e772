"""A site file by questions and answers, for a technician who stands before the meters.

    values = Interview(ask, tell).run()           # what site_words.sample() fills in
    difference(old, new)                          # what changes for each gateway, line by line

ask(question, default) -> text; an empty default says that nothing is a valid answer. Not here:
the terminal (commands/site.py), the rules (site_file.py).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from host_tools.language import say, translated
from host_tools.planning.map_file import map_names, read_map
from host_tools.planning.site_file import Site
from host_tools.planning.site_rules import board, board_names, room_kb
from host_tools.problems import did_you_mean

# How a line is set where neither the map nor a person says so: baud, bits, parity, stop.
LINES = {
    "dlms": (2400, 8, "E", 1),
    "dsmr": (115200, 8, "N", 1),
    "iec62056": (300, 7, "E", 1),
    "mbus": (2400, 8, "E", 1),
    "sml": (9600, 8, "N", 1),
}
OPTIONS = {  # what has to be asked about each meter of a protocol
    "modbus": (("unit", 1),),
    "mbus": (("address", 1),),
    "level": (("empty_mm", 2000), ("full_mm", 200)),
    "pulse": (("input", 1),),
    "contact": (("input", 1),),
}
ON_PINS = ("pulse", "contact")
ON_RS485 = ("modbus",)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Interview:
    """One conversation."""

    def __init__(self, ask: Callable[[str, str], str], tell: Callable[[str], None]) -> None:
        """tell: says why an answer cannot be."""
        self._ask = ask
        self._tell = tell

    def run(self) -> dict[str, Any]:
        """Ask everything; return the values of a gateway's configuration."""
        site = self._name(say("Name of the place"), say("town-hall"))
        values: dict[str, Any] = {
            "site": site,
            "gateway": self._name(say("Name of the gateway"), f"gw-{site}"),
            "board": self._choice(say("Board"), board_names(), "esp32_poe"),
            "ports": [],
            "meters": [],
            "uplink": {},
        }
        wired = board(values["board"])
        if next(iter(wired["interfaces"]), "") == "wifi":
            ssid = self._ask(say("Name of the WiFi network"), "")
            key = self._ask(say("Its key (it will be in the file)"), "") if ssid else ""
            values["network"] = {"wifi": [{"ssid": ssid, "key": key}] if ssid else []}
        if wired["port"] != "unix" and room_kb(wired) < 512:
            values["journal"] = {"size_kb": room_kb(wired)}
        values["uplink"] = {"host": self._ask(say("Address of the broker"), "192.0.2.10")}
        while True:
            name = self._name(say("Name of a meter (empty: no more)"), "")
            if not name:
                return values
            self._meter(values, wired, name)

    def _meter(self, values: dict[str, Any], wired: dict[str, Any], name: str) -> None:
        chosen = self._map()
        table = read_map(chosen)
        protocol = table["protocol"]
        port = self._port(values, wired, table)
        row: dict[str, Any] = {
            "name": name,
            "port": port,
            "protocol": protocol,
            "map": chosen,
            "interval_s": self._number(say("Seconds between two readings"), 60),
        }
        if protocol in OPTIONS:
            row["options"] = {
                key: self._number(key, default) for key, default in OPTIONS[protocol]
            }
        values["meters"].append(row)

    def _map(self) -> str:
        """Let a person find a map by any words of its name, maker or model."""
        while True:
            words = self._ask(say("Its make or model"), "").lower().split()
            found = [name for name in map_names() if _fits(name, words)]
            if words and " ".join(words) in found:
                return " ".join(words)
            if len(found) == 1:
                return found[0]
            self._tell(", ".join(found) if found else say("no meter of that name is known"))

    def _port(self, values: dict[str, Any], wired: dict[str, Any], table: dict[str, Any]) -> str:
        """Return the name of the port a meter is on; the port is made when it is new."""
        protocol = table["protocol"]
        if protocol in ON_PINS:
            return self._pins(values, wired)
        uart = self._choice(say("Which UART"), list(wired["uarts"]), next(iter(wired["uarts"])))
        for port in values["ports"]:
            if port.get("uart") == uart:
                return str(port["name"])
        baud, bits, parity, stop = table.get("line") or LINES.get(protocol, (9600, 8, "N", 1))
        row = {"name": uart, "uart": uart, "baud": baud, "bits": bits, "parity": parity}
        row |= {"stop": stop} | ({"rs485": True} if protocol in ON_RS485 else {})
        values["ports"].append(row)
        return uart

    def _pins(self, values: dict[str, Any], wired: dict[str, Any]) -> str:
        for port in values["ports"]:
            if port.get("kind") == "pins":
                return str(port["name"])
        values["ports"].append({"name": "inputs", "kind": "pins", "pins": list(wired["pins"])})
        return "inputs"

    def _name(self, question: str, default: str) -> str:
        while True:
            answer = self._ask(question, default).strip()
            if _NAME.fullmatch(answer) or (not answer and not default):
                return answer
            self._tell(say("letters, digits, - and _, without blanks"))

    def _choice(self, question: str, known: Sequence[str], default: str) -> str:
        default = default if default in known else known[0]
        while True:
            answer = self._ask(f"{question} ({', '.join(known)})", default).strip()
            if answer in known:
                return answer
            self._tell(translated(did_you_mean(answer, known)) or ", ".join(known))

    def _number(self, question: str, default: int) -> int:
        while True:
            answer = self._ask(question, str(default)).strip()
            if answer.isascii() and answer.isdigit():
                return int(answer)
            self._tell(say("digits alone"))


def _fits(name: str, words: Sequence[str]) -> bool:
    table = read_map(name)
    text = f"{name} {table['maker']} {table['model']}".lower()
    return all(word in text for word in words)


def difference(old: Site, new: Site) -> Iterator[str]:
    """Yield what changes from one site to the other: gateways by name, fields by path."""
    before = {gateway.name: gateway.config for gateway in old.gateways}
    after = {gateway.name: gateway.config for gateway in new.gateways}
    for name in sorted(before | after):
        if name not in after:
            yield say("- gateway {name}", name=name)
        elif name not in before:
            yield say("+ gateway {name}", name=name)
        else:
            a, b = _flat(before[name]), _flat(after[name])
            for path in sorted(a | b):
                if a.get(path) != b.get(path):
                    yield f"{name}: {path}: {_shown(a, path)} -> {_shown(b, path)}"


def _flat(tree: Any, path: str = "") -> dict[str, Any]:
    """Return path -> value; rows of a list are known by their names: their order is no change."""
    if isinstance(tree, dict):
        parts = {f"{path}.{key}" if path else str(key): value for key, value in tree.items()}
    elif isinstance(tree, list) and tree and all(isinstance(row, dict) for row in tree):
        parts = {
            f"{path}[{row.get('name', row.get('ssid', i))}]": row for i, row in enumerate(tree)
        }
    else:
        return {path: tree}
    out: dict[str, Any] = {}
    for inner, value in parts.items():
        out |= _flat(value, inner)
    return out


def _shown(flat: dict[str, Any], path: str) -> str:
    if path not in flat:
        return say("nothing")
    return say("(not shown)") if path.rpartition(".")[2] == "key" else str(flat[path])
