"""The acceptance test of a gateway, on the spot: what works is measured, what does not is named.

    test = Acceptance(plan, site, Options(reads=20))
    report = test.run("/dev/ttyUSB0", tell)
    report.is_accepted

First it stands still: its firmware, settings and secrets are looked at on its flash, and each
meter is asked through its own line. Then it runs: the broker shows whether it comes on line, is
acknowledged, knows the time. Not here: the report on paper and its signature
(acceptance_report.py), words on a terminal (commands/accept.py).
"""

import json
import queue
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent.settings import SECRETS
from drivers import load
from drivers.errors import LinkDown
from host_tools import bundle, claim, release
from host_tools.deploy import starters
from host_tools.desk.master import Master
from host_tools.desk.through import GatewayWire, wire_on
from host_tools.desk.wires import Line, line_text
from host_tools.map_file import read_map
from host_tools.problems import Problem
from host_tools.prompt import BoardError, Prompt
from host_tools.provision import Plan, call, open_gateway
from host_tools.values import Values

GOOD, NOTE, FAILED, SKIPPED = "good", "note", "failed", "not tested"
_LATE = 0.7  # of the time allowed for an answer: beyond it a warm day may be too slow
_CLOCK_S = 5.0
_WEAK_DBM = -75  # below it WiFi loses packets
_FREE_HEAP = 0.12
_FREE_FLASH = 0.1
_JOURNAL_PERMILLE = 500


@dataclass
class Check:
    """One thing looked at; `what` and `hints` are sentences that language.py translates."""

    name: str
    state: str
    what: str
    hints: list[str] = field(default_factory=list)


@dataclass
class MeterResult:
    """What came of asking one meter so many times."""

    name: str
    map: str
    line: str
    reads: int = 0
    whole: int = 0
    silent: int = 0
    damaged: int = 0
    reply_ms: list[float] = field(default_factory=list)
    allowed_ms: int = 0
    values: list[tuple[str, str, str]] = field(default_factory=list)  # name, value, unit
    series: dict[str, list[float]] = field(default_factory=dict)  # name -> readings


@dataclass
class Report:
    """All of it; JSON as it is."""

    gateway: str
    site: str
    board: str
    serial: str
    claim: str
    at: str
    technician: str = ""
    firmware: str = ""
    runtime: str = ""
    config: str = ""
    checks: list[Check] = field(default_factory=list)
    meters: list[MeterResult] = field(default_factory=list)

    @property
    def is_accepted(self) -> bool:
        """Whether nothing failed."""
        return not any(check.state == FAILED for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"accepted": self.is_accepted, **asdict(self)}


@dataclass
class Options:
    """How much is looked at."""

    reads: int = 10
    public: Path | None = None  # NAME.pub that must have signed the firmware
    broker: str = ""  # HOST:PORT as seen from here; "": of the settings
    wait_s: float = 60.0  # for the broker to hear of it
    cut: Callable[[], None] | None = None  # takes the power away and gives it back
    watch: Callable[[str, int, "queue.Queue[Message]"], Callable[[], None]] | None = None


Message = tuple[str, bytes]  # the topic's last part, payload
Tell = Callable[[float, str], None]


class Acceptance:
    """One test of one gateway."""

    def __init__(self, plan: Plan, options: Options) -> None:
        self._plan = plan
        self._options = options
        self._report: Report
        self._tell: Tell = lambda share, words: None

    def run(self, port: str, tell: Tell = lambda share, words: None) -> Report:
        """Test the gateway on a port; a Problem only where it cannot be tested at all."""
        self._tell = tell
        tell(0.0, "preparing")
        with Prompt(port) as prompt:
            identity = open_gateway(prompt)
            self._report = Report(
                identity["gateway"],
                self._plan.site,
                identity["board"] or self._plan.board,
                identity["id"],
                claim.Identity(
                    identity["gateway"], "", "", identity["id"], identity["key"]
                ).reference,
                datetime.now(UTC).isoformat(timespec="seconds"),
                runtime=identity["runtime"],
                config=identity["config"],
            )
            self._who(identity)
            self._firmware(prompt)
            told = call(prompt, f"settings({prompt.root!r})")
            self._settings(identity, told)
            self._secrets(prompt, identity, told)
            self._signal(prompt)
            self._flash(prompt)
            self._meters(prompt)
            tell(0.7, "starting it")
            messages: queue.Queue[Message] = queue.Queue()
            close = self._watch(messages)
            try:
                prompt.reset()
                if close:
                    self._live(messages)
            finally:
                if close:
                    close()
        tell(1.0, "done")
        return self._report

    def _add(self, name: str, state: str, what: str, *hints: str) -> None:
        self._report.checks.append(Check(name, state, what, list(hints)))

    # --- while it stands still

    def _who(self, identity: Any) -> None:
        here = identity["gateway"] or "nobody"
        if here == self._plan.gateway:
            self._add("identity", GOOD, f"the board is {here}, serial number {identity['id']}")
        else:
            self._add(
                "identity",
                FAILED,
                f"the board is {here}, not {self._plan.gateway}",
                "eclor provision",
            )

    def _firmware(self, prompt: Prompt) -> None:
        state = bundle.read_slot_state(prompt.read("slot"))
        slot = state[0] if state else "a"
        _, why = prompt.value(f"__import__('boot').inspect({prompt.root!r},{slot!r})", 60)
        if why or state is None:
            self._add("firmware", FAILED, f"slot {slot} {why or 'is unknown'}", "eclor deploy")
            return
        prompt.run(f"_g=open({slot!r},'rb')")
        head = prompt.bytes_of(f"_g.read({bundle.OFFER_BYTES})")
        prompt.run("_g.close()")
        version = head[88:112].rstrip(b"\0").decode(errors="replace")
        self._report.firmware = version
        wanted = starters()
        there = prompt.digests(wanted)
        other = [n for n, d in wanted.items() if there.get(n, (0, b""))[1] != sha256(d).digest()]
        signed = any(head[bundle.HEAD_BYTES + bundle.KEY_BYTES :])
        if self._options.public:
            try:
                release.verify(head, release.read_public(self._options.public))
            except Problem as problem:
                self._add("firmware", FAILED, problem.what, "eclor deploy")
                return
        if state[1] != "-" or state[3]:
            self._add(
                "firmware", NOTE, f"{version} in slot {slot} is on trial, or has failed to start"
            )
        elif other:
            self._add(
                "firmware", NOTE, f"{', '.join(other)} is of another version", "eclor deploy"
            )
        elif not signed:
            self._add(
                "firmware",
                NOTE,
                f"{version} in slot {slot} is whole, and not signed",
                "eclor bundle",
            )
        else:
            self._add("firmware", GOOD, f"{version} in slot {slot} is whole and signed")

    def _settings(self, identity: Any, told: Any) -> None:
        ours = json.loads(json.dumps(self._plan.config))
        theirs = json.loads(json.dumps(told["config"]))
        for tree in (ours, theirs):
            for key in ("ca", "cert", "cert_key"):
                tree.get("uplink", {}).pop(key, None)
        if ours != theirs:
            changed = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
            self._add(
                "settings",
                FAILED,
                f"they are not those of the site file: {', '.join(changed)}",
                "eclor config push",
            )
        elif identity["trial"]:
            self._add("settings", NOTE, "they are on trial", "the collector must acknowledge")
        else:
            self._add("settings", GOOD, f"they are those of the site file, {identity['config']}")

    def _secrets(self, prompt: Prompt, identity: Any, told: Any) -> None:
        """Look for secrets where none may be; only their names are ever said."""
        shown = sorted(_secret_paths(told["config"]))
        uplink = told["config"].get("uplink", {})
        held = ", ".join(identity["secrets"]) or "none"
        if shown:
            self._add(
                "secrets",
                FAILED,
                f"in the settings, readable: {', '.join(shown)}",
                "eclor provision",
            )
        elif not uplink.get("tls") and not str(uplink.get("host", "127.")).startswith("127."):
            self._add("secrets", NOTE, f"kept apart: {held}; the uplink is not encrypted")
        else:
            self._add("secrets", GOOD, f"kept apart: {held}")

    def _signal(self, prompt: Prompt) -> None:
        wanted = [row["ssid"] for row in self._plan.config.get("network", {}).get("wifi", [])]
        if not wanted:
            self._add("signal", SKIPPED, "the settings name no WiFi")
            return
        try:
            found = prompt.value(
                "(lambda w:(w.active(True),[(bytes(s[0]).decode(),s[3]) for s in w.scan()])[1])"
                "(__import__('network').WLAN(0))",
                30,
            )
        except BoardError:
            self._add("signal", SKIPPED, "this board has no radio")
            return
        levels = {name: max(d for n, d in found if n == name) for name, _ in found}
        best = max((levels[name] for name in wanted if name in levels), default=None)
        if best is None:
            self._add("signal", FAILED, f"{', '.join(wanted)} is not heard", _PLACE)
        elif best < _WEAK_DBM:
            self._add("signal", NOTE, f"{best} dBm, weak", _PLACE)
        else:
            self._add("signal", GOOD, f"{best} dBm")

    def _flash(self, prompt: Prompt) -> None:
        info = prompt.info()
        share = info["free"] / info["size"]
        words = f"{info['free'] // 1024} KB of {info['size'] // 1024} KB are free"
        self._add("flash", GOOD if share > _FREE_FLASH else NOTE, words)

    def _meters(self, prompt: Prompt) -> None:
        meters = self._plan.config.get("meters", [])
        ports = {port["name"]: port for port in self._plan.config.get("ports", [])}
        for i, meter in enumerate(meters):
            self._tell(0.1 + 0.6 * i / max(len(meters), 1), "asking the meters")
            port = ports[meter["port"]]
            if port.get("kind", "uart") != "uart":
                self._add(
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
                wire = wire_on(prompt, self._plan.board, str(port["uart"]), line)
                result = self._ask(meter, line, wire)
            except (LinkDown, Problem) as error:
                self._add(meter["name"], FAILED, f"{port['uart']}: {error}", "eclor boards")
                continue
            self._report.meters.append(result)
            self._judge(meter, result, wire.strays)

    def _ask(self, meter: dict[str, Any], line: Line, wire: GatewayWire) -> MeterResult:
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
        for _ in range(self._options.reads):
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

    def _judge(self, meter: dict[str, Any], result: MeterResult, strays: int) -> None:
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
        self._add(meter["name"], state, words, *found)

    # --- while it runs

    def _watch(self, messages: "queue.Queue[Message]") -> Callable[[], None] | None:
        uplink = self._plan.config.get("uplink", {})
        if uplink.get("kind", "mqtt") != "mqtt":
            self._add("uplink", SKIPPED, "it posts by HTTPS: ask the collector")
            return None
        host, _, number = self._options.broker.rpartition(":")
        if not host:
            host = str(uplink.get("host", "127.0.0.1"))
            number = str(uplink.get("port") or (8883 if uplink.get("tls") else 1883))
        watch = self._options.watch or watcher
        try:
            return watch(host, int(number), messages)
        except (OSError, ValueError) as error:
            self._add(
                "uplink",
                SKIPPED,
                f"no broker at {host}:{number} from here: {error}",
                "give --broker HOST:PORT, and --broker-ca where it wants TLS",
            )
            return None

    def _live(self, messages: "queue.Queue[Message]") -> None:
        self._tell(0.75, "waiting for the broker")
        births, state, is_stored = self._hear(messages, "")
        if not births:
            self._add(
                "uplink",
                FAILED,
                f"the broker heard nothing of it for {self._options.wait_s:.0f} s",
                "eclor monitor shows what it says on its cable",
            )
            return
        if is_stored:
            self._add("uplink", GOOD, "on line, and the collector has acknowledged its records")
        else:
            self._add(
                "uplink",
                FAILED,
                "on line, and nothing was acknowledged",
                "does the collector run, and has it the gateway's key?",
            )
        self._clock(state)
        self._heap(state)
        if self._options.cut:
            self._power(messages, births[-1])
        else:
            self._add("power", SKIPPED, "no power cut was asked for")

    def _hear(
        self, messages: "queue.Queue[Message]", cause: str
    ) -> tuple[list[dict[str, Any]], dict[str, Any], bool]:
        """Return births, the last state, and whether something was acknowledged."""
        births: list[dict[str, Any]] = []
        state: dict[str, Any] = {}
        first = None
        until_s = time.monotonic() + self._options.wait_s
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                topic, payload = messages.get(timeout=left_s)
            except queue.Empty:
                break
            # A gateway with a key proves its words: 16 bytes follow the JSON.
            tree, _ = json.JSONDecoder().raw_decode(payload.decode(errors="replace"))
            if topic == "birth" and (not cause or tree["cause"] == cause):
                births.append(tree)
                first = tree["first"]
            elif topic == "state" and births:
                state = tree
                if first is not None and tree["records"][0] > first:
                    return births, state, True
        return births, state, False

    def _clock(self, state: dict[str, Any]) -> None:
        wall_ms = state.get("wall_ms", 0)
        off_s = abs(wall_ms / 1000 - time.time())
        if not wall_ms:
            self._add("clock", NOTE, "it does not know the time yet", "set clock.ntp")
        elif off_s > _CLOCK_S:
            self._add("clock", NOTE, f"{off_s:.0f} s from this computer's", "which one is wrong?")
        else:
            self._add("clock", GOOD, f"{off_s:.1f} s from this computer's")

    def _heap(self, state: dict[str, Any]) -> None:
        if not state:
            self._add("health", SKIPPED, "no live picture came")
            return
        used, free = state["heap"], state["heap_free"]
        full = state["journal"]
        words = (
            f"heap {free // 1024} KB free of {(used + free) // 1024}; journal {full / 10:.0f} %"
        )
        is_good = free / (used + free) > _FREE_HEAP and full < _JOURNAL_PERMILLE
        self._add("health", GOOD if is_good else NOTE, words)

    def _power(self, messages: "queue.Queue[Message]", before: dict[str, Any]) -> None:
        self._tell(0.85, "waiting for the power cut")
        assert self._options.cut
        self._options.cut()
        births, _, is_stored = self._hear(messages, "power")
        if not births:
            self._add(
                "power",
                FAILED,
                "after the power cut the broker heard nothing",
                "look at its supply",
            )
        elif births[-1]["journal"] != before["journal"] or births[-1]["next"] < before["next"]:
            self._add(
                "power", FAILED, "after the power cut it has another journal", "eclor backup"
            )
        elif not is_stored:
            self._add("power", FAILED, "it came back, and nothing was acknowledged")
        else:
            self._add("power", GOOD, "after a power cut it goes on where it was")


def hints(result: MeterResult, strays: int) -> list[str]:
    """Return what the pattern of the errors says about the line; strays: bytes while it idled."""
    found: list[str] = []
    if strays:
        _say(
            found,
            "bytes came unasked: another master, no bias resistors, or A and B swapped",
        )
    if not result.whole:
        if result.damaged:
            _say(found, "bytes come and mean nothing: wrong rate or parity, or A and B swapped")
        else:
            _say(found, "not a byte comes: look at its supply, its address, A and B")
        return found
    if result.damaged:
        _say(found, "damaged now and then: 120 ohm at both ends, shield, distance to motors")
    if result.silent:
        _say(found, "silent now and then: two masters, or a meter that is busy")
    slowest = max(result.reply_ms, default=0.0)
    if result.allowed_ms and slowest > _LATE * result.allowed_ms:
        _say(found, f"the slowest answer takes most of the {result.allowed_ms} ms allowed")
    return found


def _say(found: list[str], hint: str) -> None:
    found.append(hint)


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


def watcher(
    host: str,
    port: int,
    messages: "queue.Queue[Message]",
    ca: str = "",
    papers: tuple[str, ...] = (),
) -> Callable[[], None]:
    """Put births and states of the broker's gateways into a queue; return what ends it.

    ca: file of the broker's authority, "" without TLS; papers: our certificate and key, in PEM.
    """
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    if ca:
        client.tls_set(ca, *papers[:2])  # type: ignore[arg-type]  # certificate, key

    def on_connect(*_: Any) -> None:
        for last in ("birth", "state"):
            client.subscribe(f"eclor/1/+/{last}", 1)

    def on_message(_c: Any, _u: Any, message: Any) -> None:
        if not message.retain:
            messages.put((message.topic.rpartition("/")[2], bytes(message.payload)))

    client.on_connect = on_connect
    client.on_message = on_message
    client.connect(host, port, 30)
    client.loop_start()

    def close() -> None:
        client.disconnect()
        client.loop_stop()

    return close


_PLACE = "move the gateway or its antenna, or use Ethernet"
