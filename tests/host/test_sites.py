"""The example sites: a valid configuration, meters that exist, RAM only for what is configured."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.config import validate
from agent.meter import make_meters
from drivers import DRIVERS
from host_tools.sim.ledger import Ledger
from host_tools.sim.plan import load_site
from host_tools.sim.site import SimulatedSite

ROOT = Path(__file__).resolve().parents[2]
SITES = sorted((ROOT / "host_tools" / "sim" / "sites").glob("*.yaml"))
_LOADED = """
import sys, json
sys.path.insert(0, {root!r})
from agent.config import validate
from agent.meter import make_meters
config, problems = validate(json.loads({tree!r}))
assert not problems, problems
before = set(sys.modules)
make_meters(config)
print(sorted(n for n in set(sys.modules) - before if n.startswith("drivers.")))
"""
# what a protocol's module may bring beside itself: the vocabulary all of them share, and its own
_SHARED = {"gather", "units", "civil", "checksums", "ticks", "reading", "errors", "maps"}
_OWN = {
    "modbus": {
        *("modbus", "modbus_frame", "modbus_model", "modbus_plan"),
        *("modbus_values", "modbus_decode"),
    },
    "tic": {"tic", "tic_data"},
    "mbus": {"mbus", "mbus_link", "mbus_records", "mbus_vif", "mbus_date", "floats"},
    "iec62056": {"iec62056", "obis"},
    "dsmr": {"dsmr", "obis"},
    "sml": {"sml", "sml_values", "obis_code"},
    "dlms": {"dlms", "dlms_items", "dlms_values", "dlms_lists", "hdlc", "obis_code", "floats"},
    "pulse": {"pulse"},
    "contact": {"pulse"},
    "level": {"level"},
    "radar": {"radar", "radar_traffic"},
}
_EXAMPLES = {
    "modbus": ("sdm120", {}),
    "tic": ("linky_standard", {}),
    "mbus": ("itron_cyble", {"address": 1}),
    "iec62056": ("itron_em214", {}),
    "dsmr": ("landis_gyr_e350", {}),
    "sml": ("emh_ed300l", {}),
    "dlms": ("kaifa_ma304", {}),
    "pulse": ("pulse_volume", {}),
    "contact": ("contact_door", {}),
    "level": ("a02yyuw", {}),
    "radar": ("icoms_tma", {}),
}


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.stem)
def test_an_example_is_valid_and_each_of_its_meters_is_simulated(path: Path) -> None:
    site = load_site(path)
    config, problems = validate(site.gateway)
    assert problems == []
    meters = make_meters(config)
    assert all(meter.driver.points for meter in meters)
    simulated = SimulatedSite(site.gateway, site.simulation, Ledger())
    simulated.close()
    assert set(simulated.rules) == {meter.name for meter in meters}
    assert f"eclor demo --site {path.stem}" in path.read_text() or path.stem == "household"


def test_every_protocol_is_in_an_example() -> None:
    shown = {m["protocol"] for path in SITES for m in load_site(path).gateway["meters"]}
    assert shown == set(DRIVERS)


@pytest.mark.parametrize("protocol", sorted(DRIVERS))
def test_a_protocol_costs_ram_only_when_it_is_configured(protocol: str) -> None:
    name, options = _EXAMPLES[protocol]
    kind = {"kind": "pins", "pins": ["in1"]} if protocol in ("pulse", "contact") else {}
    tree = {
        "gateway": "g",
        "board": "host",
        "ports": [{"name": "p", "uart": "uart1", **kind}],
        "meters": [
            {"name": "m", "port": "p", "protocol": protocol, "map": name, "options": options}
        ],
    }
    source = _LOADED.format(root=str(ROOT), tree=json.dumps(tree))
    shim = str(ROOT / "host_tools" / "shim")
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={"PYTHONPATH": shim},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = {module.split(".")[1] for module in ast.literal_eval(done.stdout)}
    assert loaded <= _SHARED | _OWN[protocol]
    assert _OWN[protocol] <= loaded
