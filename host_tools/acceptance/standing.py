"""A gateway that stands still: its flash is read, its meters are asked through its own line.

    look(report, prompt, plan, identity, reads=10)

Not here: what shows only while it runs (running.py).
"""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent.settings import SECRETS
from drivers import load
from drivers.errors import LinkDown
from host_tools.acceptance.findings import (
    FAILED,
    GOOD,
    NOTE,
    SKIPPED,
    MeterResult,
    Report,
    hints,
)
from host_tools.cable.deploy import starters
from host_tools.cable.prompt import BoardError, Prompt
from host_tools.cable.provision import Plan, call
from host_tools.desk.master import Master
from host_tools.desk.through import GatewayWire, wire_on
from host_tools.desk.values import Values
from host_tools.desk.wires import Line, line_text
from host_tools.packing import bundle, release
from host_tools.planning.map_file import read_map
from host_tools.problems import Problem

Tell = Callable[[float, str], None]  # 0 .. 1, words
_WEAK_DBM = -75  # below it WiFi loses packets
_FREE_FLASH = 0.1
_PLACE = "move the gateway or its antenna, or use Ethernet"


def look(
    report: Report,
    prompt: Prompt,
    plan: Plan,
    identity: Mapping[str, Any],
    *,
    reads: int,
    public: Path | None,
    tell: Tell,
) -> None:
    """Add every check that a standing gateway allows; public: of who signed its firmware."""
    _identity(report, plan, identity)
    _firmware(report, prompt, public)
    told = call(prompt, f"settings({prompt.root!r})")
    _settings(report, plan, identity, told)
    _secrets(report, identity, told)
    _signal(report, plan, prompt)
    _flash(report, prompt)
    _meters(report, plan, prompt, reads, tell)


def _identity(report: Report, plan: Plan, identity: Any) -> None:
    here = identity["gateway"] or "nobody"
    if here == plan.gateway:
        report.add("identity", GOOD, f"the board is {here}, serial number {identity['id']}")
    else:
        report.add(
            "identity",
            FAILED,
            f"the board is {here}, not {plan.gateway}",
            "eclor provision",
        )


def _firmware(report: Report, prompt: Prompt, public: Path | None) -> None:
    has = {"slot", "a", "b"} & prompt.files(deep=False).keys()
    state = bundle.read_slot_state(prompt.read("slot") if "slot" in has else b"")
    if not has or (state and state[0] == bundle.FROZEN):
        _frozen(report, prompt, state)
        return
    slot = state[0] if state else "a"
    _, why = prompt.value(f"__import__('boot').inspect({prompt.root!r},{slot!r})", 60)
    if why or state is None:
        report.add("firmware", FAILED, f"slot {slot} {why or 'is unknown'}", "eclor deploy")
        return
    prompt.run(f"_g=open({slot!r},'rb')")
    head = prompt.bytes_of(f"_g.read({bundle.OFFER_BYTES})")
    prompt.run("_g.close()")
    version = head[88:112].rstrip(b"\0").decode(errors="replace")
    report.firmware = version
    wanted = starters()
    there = prompt.digests(wanted)
    other = [n for n, d in wanted.items() if there.get(n, (0, b""))[1] != sha256(d).digest()]
    signed = any(head[bundle.HEAD_BYTES + bundle.KEY_BYTES :])
    if public:
        try:
            release.verify(head, release.read_public(public))
        except Problem as problem:
            report.add("firmware", FAILED, problem.what, "eclor deploy")
            return
    if state[1] != "-" or state[3]:
        report.add(
            "firmware", NOTE, f"{version} in slot {slot} is on trial, or has failed to start"
        )
    elif other:
        report.add("firmware", NOTE, f"{', '.join(other)} is of another version", "eclor deploy")
    elif not signed:
        report.add(
            "firmware",
            NOTE,
            f"{version} in slot {slot} is whole, and not signed",
            "eclor bundle",
        )
    else:
        report.add("firmware", GOOD, f"{version} in slot {slot} is whole and signed")


def _frozen(report: Report, prompt: Prompt, state: bundle.SlotState | None) -> None:
    """What runs lies in the image; state: of /slot, None before the first update."""
    version = report.firmware = prompt.value("__import__('firmware.build').build.VERSION")
    if state is None or (state[1] == "-" and not state[3]):
        report.add("firmware", GOOD, f"{version} is frozen into the image")
    else:
        what = f"{version}, frozen into the image, tries another, or has failed to start"
        report.add("firmware", NOTE, what)


def _settings(report: Report, plan: Plan, identity: Any, told: Any) -> None:
    ours = json.loads(json.dumps(plan.config))
    theirs = json.loads(json.dumps(told["config"]))
    for tree in (ours, theirs):
        for key in ("ca", "cert", "cert_key"):
            tree.get("uplink", {}).pop(key, None)
    if ours != theirs:
        changed = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
        report.add(
            "settings",
            FAILED,
            f"they are not those of the site file: {', '.join(changed)}",
            "eclor config push",
        )
    elif identity["trial"]:
        report.add("settings", NOTE, "they are on trial", "the collector must acknowledge")
    else:
        report.add("settings", GOOD, f"they are those of the site file, {identity['config']}")


def _secrets(report: Report, identity: Any, told: Any) -> None:
    """Look for secrets where none may be; only their names are ever said."""
    shown = sorted(_secret_paths(told["config"]))
    uplink = told["config"].get("uplink", {})
    held = ", ".join(identity["secrets"]) or "none"
    if shown:
        report.add(
            "secrets",
            FAILED,
            f"in the settings, readable: {', '.join(shown)}",
            "eclor provision",
        )
    elif not uplink.get("tls") and not str(uplink.get("host", "127.")).startswith("127."):
        report.add("secrets", NOTE, f"kept apart: {held}; the uplink is not encrypted")
    else:
        report.add("secrets", GOOD, f"kept apart: {held}")


def _signal(report: Report, plan: Plan, prompt: Prompt) -> None:
    wanted = [row["ssid"] for row in plan.config.get("network", {}).get("wifi", [])]
    if not wanted:
        report.add("signal", SKIPPED, "the settings name no WiFi")
        return
    try:
        found = prompt.value(
            "(lambda w:(w.active(True),[(bytes(s[0]).decode(),s[3]) for s in w.scan()])[1])"
            "(__import__('network').WLAN(0))",
            30,
        )
    except BoardError:
        report.add("signal", SKIPPED, "this board has no radio")
        return
    levels = {name: max(d for n, d in found if n == name) for name, _ in found}
    best = max((levels[name] for name in wanted if name in levels), default=None)
    if best is None:
        report.add("signal", FAILED, f"{', '.join(wanted)} is not heard", _PLACE)
    elif best < _WEAK_DBM:
        report.add("signal", NOTE, f"{best} dBm, weak", _PLACE)
    else:
        report.add("signal", GOOD, f"{best} dBm")


def _flash(report: Report, prompt: Prompt) -> None:
    info = prompt.info()
    share = info["free"] / info["size"]
    words = f"{info['free'] // 1024} KB of {info['size'] // 1024} KB are free"
    report.add("flash", GOOD if share > _FREE_FLASH else NOTE, words)


def _meters(report: Report, plan: Plan, prompt: Prompt, reads: int, tell: Tell) -> None:
    meters = plan.config.get("meters", [])
    ports = {port["name"]: port for port in plan.config.get("ports", [])}
    for i, meter in enumerate(meters):
        tell(0.1 + 0.6 * i / max(len(meters), 1), "asking the meters")
        port = ports[meter["port"]]
        if port.get("kind", "uart") != "uart":
            report.add(
                meter["name"], SKIPPED, "its inputs count while it runs", "look at its values"
            )
            continue
        line: Line = (
            port.get("baud", 9600),
            port.get("bits", 8),
            port.get("parity", "N"),
            port.get("stop", 1),
        )
        try:
            wire = wire_on(prompt, plan.board, str(port["uart"]), line)
            result = _ask(meter, line, wire, reads)
        except (LinkDown, Problem) as error:
            report.add(meter["name"], FAILED, f"{port['uart']}: {error}", "eclor boards")
            continue
        report.meters.append(result)
        _judge(report, result, wire.strays)


def _ask(meter: dict[str, Any], line: Line, wire: GatewayWire, reads: int) -> MeterResult:
    table = read_map(meter["map"])
    options: dict[str, Any] = dict(meter.get("options", {})) | {"line": line}
    if meter.get("points"):
        options["points"] = meter["points"]
    driver = load(meter["protocol"])(table, options)
    result = MeterResult(meter["name"], meter["map"], line_text(line))
    wire.listen(0.3)
    master = Master(wire, line, retries=0)
    values = Values(meter["protocol"])
    if driver.reply_ms:
        master.read(driver)  # it learns what the meter refuses
    for _ in range(reads):
        wire.delays_ms.clear()
        turn = master.read(driver, turns=1)
        result.reads += 1
        result.whole += turn.complete
        result.damaged += bool(turn.bad_frames) and not turn.complete
        result.silent += not turn.complete and not turn.bad_frames
        result.reply_ms += wire.delays_ms
        if turn.reading and turn.complete:
            told = values.of(turn.reading)
            result.values = [(v.name, v.value or "", v.unit) for v in told]
            for value in told:
                number = _number(value.value)
                if number is not None:
                    result.series.setdefault(value.name, []).append(number)
    result.allowed_ms = int(driver.reply_ms)
    return result


def _judge(report: Report, result: MeterResult, strays: int) -> None:
    failed = result.reads - result.whole
    rate = failed / max(result.reads, 1)
    words = f"{result.whole} of {result.reads} readings are whole"
    if result.reply_ms:
        late = max(result.reply_ms)
        middle = statistics.median(result.reply_ms)
        words += f"; answers after {middle:.0f} ms, {late:.0f} ms at most"
    state = GOOD if not failed else FAILED if rate > 0.1 else NOTE
    found = hints(result, strays)
    if state == GOOD and found:
        state = NOTE
    report.add(result.name, state, words, *found)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _secret_paths(tree: Any, path: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in SECRETS and value:
                yield path + key
            yield from _secret_paths(value, f"{path}{key}.")
    elif isinstance(tree, list):
        for i, row in enumerate(tree):
            yield from _secret_paths(row, f"{path}{i}.")
