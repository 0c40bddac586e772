"""Our Modbus maps against tables that others have cross-checked: address, type, scale, limits."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml

from drivers import load_map
from drivers.modbus_values import type_of

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus/modbus"
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no ../shared/corpus here")

# table: our maps, and how many of their points the table has at the least
_MAPS: dict[str, dict[str, int]] = {
    "abb_b21_b23_b24": {"abb_b21": 7, "abb_b23": 23, "abb_b24": 23},
    "apg_mnu_ultrasonic_level": {"apg_mnu": 3},
    "carlo_gavazzi_em24_e1_tcp": {"em24_e1": 20},
    "carlo_gavazzi_em24_rs485": {"em24_rs485": 20},
    "carlo_gavazzi_em340_et340": {"em340": 20},
    "dfrobot_sen0310_rs485_level": {"sen0310": 2},
    "dfrobot_sen0492_laser_level": {"sen0492": 1},
    "eastron_sdm120": {"sdm120": 22},
    "eastron_sdm230": {"sdm230": 22},
    "eastron_sdm630": {"sdm630": 51, "sdm72d": 19},
    "janitza_b23_umg": {"umg96": 22},
    "kamstrup_multical_hc67": {"multical_heat": 6, "multical_water": 5},
    "legrand_emdx3_412045": {"emdx3": 19},
    "schneider_iem3155": {"iem3155": 22},
    "schneider_pm3255_pm5xxx_acti9": {"pm3255": 13, "pm5xxx": 13, "acti9_smartlink": 14},
    "socomec_countis_e34_e44": {"countis_e34": 17},
    "socomec_diris_a10": {"diris_a10": 17},
    "socomec_diris_b30": {"diris_b30": 15},
    "sunspec_103": {"sunspec_103": 26},
    "sunspec_203": {"sunspec_203": 60},
    "sunspec_213": {"sunspec_213": 60},
}
_KILO = {"kWh": ("Wh", 3), "kVArh": ("varh", 3), "kVAh": ("VAh", 3), "kW": ("W", 3)}
_KILO |= {"kvar": ("var", 3), "kVA": ("VA", 3), "mm": ("m", -3), "l/h": ("m3/h", -3)}
_SAME = {"PF": "", "VAr": "var", "°": "deg", "Pct": "%", "C": "degC", "VARh": "varh", None: ""}
_TYPES = {"enum16": "uint16", "bitfield32": "bits32"}
# Where we differ, and why.
_DIFFERENT = {
    # four registers that never are negative: either type reads the same
    ("pm3255", 3207): "type",
    ("pm5xxx", 3207): "type",
    # the table says VA; Eastron's own protocol V2.0 says W for the demand of the total power
    ("sdm630", 86): "unit",
}


def _tables() -> list[tuple[str, str]]:
    return [(table, name) for table, names in _MAPS.items() for name in names]


def _quantum(unit: str | None, scale: Any) -> tuple[str, Decimal | None]:
    """Return (base unit, what a register counts in it); None where a register says it."""
    base, exponent = _KILO.get(str(unit), (_SAME.get(unit, str(unit)), 0))
    if isinstance(scale, str):
        return base, None
    return base, Decimal(str(scale if scale is not None else 1)).scaleb(exponent).normalize()


@pytest.mark.parametrize(("table", "name"), _tables())
def test_a_map_says_what_the_cross_checked_table_says(table: str, name: str) -> None:
    theirs = ruamel.yaml.YAML(typ="safe").load((CORPUS / f"{table}.yaml").read_text())
    ours = load_map(name)
    at: dict[tuple[int, int], dict[str, Any]] = {}
    for row in theirs["registers"]:
        at[row.get("fc", theirs["function_code"]), row["address"]] = row
    compared = 0
    for row in ours["points"]:
        found = at.get((row[4], row[5]))
        if found is None:
            continue
        where = f"{name}.{row[0]} at {row[5]}: {found}"
        compared += 1
        differs = _DIFFERENT.get((name, row[5]), "")
        kind = _TYPES.get(found["type"], found["type"])
        assert type_of(kind)[1] == type_of(row[6])[1] == 2 * found.get("count", 1), where
        if differs != "type":
            assert kind == row[6] or kind.startswith("acc") == row[6].startswith("acc"), where
            assert kind.startswith("int") == row[6].startswith("int"), where
            assert kind.startswith("float") == row[6].startswith("float"), where
        unit, step = _quantum(found.get("unit"), found.get("scale", found.get("scale_register")))
        if found.get("unit") and differs != "unit":
            assert unit == row[1], where
        scale = row[7] if len(row) > 7 else 0
        if isinstance(scale, tuple):
            assert step is None, where
        elif found.get("unit"):
            assert step == Decimal(1).scaleb(scale).normalize(), where
    assert compared >= _MAPS[table][name], compared
    order = "CDAB" if "CDAB" in theirs["word_order"] else "ABCD"
    assert ours.get("words", "ABCD") == order
    assert ours["max_registers"] <= (theirs["max_registers_per_read"] or 125)


def test_every_modbus_table_of_the_corpus_has_its_map() -> None:
    assert {path.stem for path in CORPUS.glob("*.yaml")} == set(_MAPS)
