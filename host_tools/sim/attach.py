"""Which simulated meter and which witness stand on a line: one row for each protocol.

Not the site (site.py), which has the lines, nor the day and what goes wrong (scene.py).
"""

from collections.abc import Callable, Mapping
from typing import Any

from drivers.reading import KIND_NAMES, TEXT
from host_tools.problems import INPUT, Problem
from host_tools.sim.dlms_meter import DLMSMeter, dlms_frame
from host_tools.sim.input_meter import InputMeters, InputTap
from host_tools.sim.level_meter import LevelMeter
from host_tools.sim.lines import LineSettings, Piece
from host_tools.sim.mbus_meter import MBusMeter, MBusTap
from host_tools.sim.meter_end import MeterEnd
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.obis_meter import P1Meter, ReadOutMeter, ReadOutTap, p1_frame, pushed_read_out
from host_tools.sim.pymodbus_meter import PymodbusMeter
from host_tools.sim.radar_meter import RadarMeter, RadarTap
from host_tools.sim.scene import Scene
from host_tools.sim.sml_meter import SMLMeter, sml_frame
from host_tools.sim.taps import FrameFunction, ModbusTap, StreamTap, Tapped, level_frame, tic_frame
from host_tools.sim.tic_meter import TicCapture, TicMeter

DEFAULT_LINES = {
    "modbus": LineSettings(9600, 8, "N", 1),
    "tic": LineSettings(9600, 7, "E", 1),
    "level": LineSettings(9600, 8, "N", 1),
    "radar": LineSettings(115200, 8, "N", 1),
    "mbus": LineSettings(2400, 8, "E", 1),
    "iec62056": LineSettings(300, 7, "E", 1),
    "dsmr": LineSettings(115200, 8, "N", 1),
    "sml": LineSettings(9600, 8, "N", 1),
    "dlms": LineSettings(2400, 8, "E", 1),
    "pulse": LineSettings(115200, 8, "N", 1),
    "contact": LineSettings(115200, 8, "N", 1),
}


def kind_name(kind: int | str) -> str:
    """Return a kind of a map row in words: maps write it as a word or as its number."""
    return kind if isinstance(kind, str) else KIND_NAMES[kind]


def chosen_points(meter: Mapping[str, Any], table: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a map that a meter's configuration journals: texts never are."""
    wanted = meter.get("points") or [row[0] for row in table["points"]]
    return [
        row
        for row in table["points"]
        if row[0] in wanted and kind_name(row[3]) != KIND_NAMES[TEXT]
    ]


_Meters = list[Mapping[str, Any]]
_Tables = Mapping[str, Mapping[str, Any]]


def _attach_modbus(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    tapped = {}
    for meter in meters:
        table = tables[meter["name"]]
        unit = int(meter.get("options", {}).get("unit", table.get("unit", 1)))
        series, scene.series = scene.series, None  # drives the first Modbus meter only
        quantities = scene.quantities(meter["name"], series=series)
        units = {row[0]: row[1] for row in table["points"]}

        def value(name: str, now_s: float, q: Any = quantities, u: Any = units) -> Any:
            return q.value(name, u[name], now_s)

        simulated: ModbusMeter | PymodbusMeter = ModbusMeter(dict(table), unit, value)
        if meter["name"] in scene.pymodbus:
            simulated = PymodbusMeter(table, unit, value)
            end.serve(simulated)
        end.answer(simulated.received, simulated.silence)
        tapped[unit] = Tapped(meter["name"], table)
    return ModbusTap(tapped, scene.ledger)


def _attach_mbus(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    tapped = {}
    for number, meter in enumerate(meters, 1):
        name, table = meter["name"], tables[meter["name"]]
        options = meter.get("options", {})
        address = int(options.get("address", number))
        simulated = MBusMeter(
            table,
            address,
            scene.quantities(name).value,
            identity=str(options.get("secondary", "")),
            faults=scene.faults(name),
        )
        end.answer(simulated.received, simulated.silence)
        tapped[address] = (name, table)
    return MBusTap(tapped, scene.ledger)


def _attach_tic(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    meter = _only(meters)
    table = tables[meter["name"]]
    if scene.capture:
        end.push(TicCapture(scene.capture).frame)
    else:
        simulated = TicMeter(table, scene.quantities(meter["name"], phases=1).value)
        end.push(simulated.frame, scene.faults(meter["name"]))
    return StreamTap(meter["name"], scene.ledger, tic_frame(table["points"]))


def _attach_level(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    meter = _only(meters)
    table = tables[meter["name"]]
    simulated = LevelMeter(table, scene.quantities(meter["name"]).value)
    end.push(simulated.frame, scene.faults(meter["name"]))
    options = meter.get("options", {})
    depth = options.get("empty_mm", 0), options.get("full_mm", 0)
    return StreamTap(meter["name"], scene.ledger, level_frame(table, *depth))


def _attach_radar(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    meter = _only(meters)
    table = tables[meter["name"]]
    end.push(RadarMeter(scene.day, meter["name"], table).frame, scene.faults(meter["name"]))
    return RadarTap(meter["name"], scene.ledger, table, int(meter.get("interval_s", 10)))


def _push(
    scene: Scene,
    end: MeterEnd,
    meters: _Meters,
    tables: _Tables,
    make: Callable[..., Any],
    frame: Callable[[Mapping[str, Any]], FrameFunction],
) -> Callable[[Piece], None]:
    meter = _only(meters)
    name, table = str(meter["name"]), tables[meter["name"]]
    end.push(make(table, scene.quantities(name).value).frame, scene.faults(name))
    return StreamTap(name, scene.ledger, frame(table))


def _attach_dsmr(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    return _push(scene, end, meters, tables, P1Meter, p1_frame)


def _attach_sml(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    return _push(scene, end, meters, tables, SMLMeter, sml_frame)


def _attach_dlms(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    return _push(scene, end, meters, tables, DLMSMeter, dlms_frame)


def _attach_iec62056(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    meter = _only(meters)
    name, table = str(meter["name"]), tables[meter["name"]]
    options = meter.get("options", {})
    mode = str(options.get("mode", "C"))
    simulated = ReadOutMeter(
        table,
        scene.quantities(name).value,
        mode=mode,
        address=str(options.get("address", "")),
        faults=scene.faults(name),
    )
    if mode == "D":
        end.push(simulated.frame, scene.faults(name))
        return StreamTap(name, scene.ledger, pushed_read_out(table))
    end.answer(simulated.received, simulated.silence)
    return ReadOutTap(name, scene.ledger, table)


def _attach_inputs(
    scene: Scene, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    quantities = {str(meter["name"]): scene.quantities(str(meter["name"])) for meter in meters}

    def value(meter: str, name: str, unit: str, now_s: float) -> Any:
        return quantities[meter].value(name, unit, now_s)

    simulated = InputMeters(
        meters,
        tables,
        value,
        lambda: end.line.is_configured,
        fault_seed=scene.fault_seed,
        fault_share=scene.fault_share,
    )
    end.push(simulated.frame)
    return InputTap(meters, tables, scene.ledger)


def _only(meters: _Meters) -> Mapping[str, Any]:
    """Return the one meter of a line on which meters speak unasked."""
    if len(meters) > 1:
        names = ", ".join(str(meter["name"]) for meter in meters)
        raise Problem(
            f"{names} share {meters[0]['port']}, and each speaks when it likes",
            "give each a port of its own",
            code=INPUT,
        )
    return meters[0]


ATTACH: dict[str, Callable[..., Callable[[Piece], None]]] = {
    "modbus": _attach_modbus,
    "tic": _attach_tic,
    "level": _attach_level,
    "mbus": _attach_mbus,
    "radar": _attach_radar,
    "dsmr": _attach_dsmr,
    "sml": _attach_sml,
    "dlms": _attach_dlms,
    "iec62056": _attach_iec62056,
    "pulse": _attach_inputs,
    "contact": _attach_inputs,
}
ASKING = {"modbus", "mbus", "iec62056"}
