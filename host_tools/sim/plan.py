"""What a site file says to the simulator: its first gateway, and what day it is there.

Not planning/site_file.py, which finds what is wrong with a file, and where.

    plan = load_site(Path("site.yaml"))
    SimulatedSite(plan.gateway, plan.simulation, ledger)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers import load_map
from drivers.reading import KIND_NAMES, TEXT
from host_tools.problems import INPUT, Problem
from host_tools.sim.attach import kind_name
from host_tools.sim.tic_meter import labels_of, map_of


@dataclass(frozen=True)
class SiteFile:
    """A site file: its name, what simulates it, its first gateway as the device reads it."""

    name: str
    simulation: Mapping[str, Any]
    gateway: dict[str, Any]


def load_site(path: Path, name: str = "") -> SiteFile:
    """Read a site file; return its gateway of that name, else its first. A Problem when none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        tree = YAML(typ="safe").load(path)
        named = [row for row in tree["gateways"] if not name or row["name"] == name]
        gateway = dict(named[0])
        gateway["gateway"] = gateway.pop("name")
        gateway["site"] = tree["site"]
    except FileNotFoundError:
        raise Problem(f"{path} is not there", "give the path of a site file", code=INPUT) from None
    except YAMLError as error:
        raise Problem(str(error), "eclor check shows every problem", code=INPUT) from None
    except (KeyError, IndexError, TypeError):
        raise Problem(
            f"this is no site file with a gateway {name}".rstrip()
            + ": it needs `site` and `gateways`",
            f"eclor check {path} shows every problem",
            code=INPUT,
            where=str(path),
        ) from None
    return SiteFile(tree["site"], tree.get("simulation") or {}, gateway)


def read_capture(path: Path) -> bytes:
    """Return the bytes of a capture; a Problem when there are none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "give a recorded line", code=INPUT) from None
    if not data:
        raise Problem(f"{path} is empty", "give a recorded line", code=INPUT)
    return data


def match_capture(gateway: dict[str, Any], capture: bytes) -> None:
    """Change the gateway's first TIC meter so that it reads this capture: map, points, rate."""
    for meter in gateway["meters"]:
        if meter["protocol"] == "tic":
            meter["map"], baud = map_of(capture)
            labels = labels_of(capture)
            meter["points"] = [
                row[0]
                for row in load_map(meter["map"])["points"]
                if row[4].split(".")[0] in labels and kind_name(row[3]) != KIND_NAMES[TEXT]
            ]
            for port in gateway["ports"]:
                if port["name"] == meter["port"]:
                    port |= {"baud": baud, "bits": 7, "parity": "E", "stop": 1}
            return
    raise Problem(
        "no meter of this site speaks TIC", "give a site with one, or leave --tic out", code=INPUT
    )
