"""A gateway that runs, as its broker shows it: on line, acknowledged, with a clock, after a cut.

    close = watcher("gw-ecole", "127.0.0.1", 1883, messages)
    prompt.reset()                                     # somebody starts it
    judge(report, messages, wait_s=60.0, cut=None)

Only what it says from now on counts: a birth that the broker has kept is of another day, and the
words of another gateway prove nothing.
"""

import json
import queue
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_tools import ca
from host_tools.acceptance.findings import FAILED, GOOD, NOTE, SKIPPED, UPLINK, Report
from host_tools.acceptance.standing import Tell
from host_tools.permissions import VISITOR
from host_tools.provision import Plan
from host_tools.secret_words import write_secret

Message = tuple[str, bytes]  # the topic's last part, payload
Close = Callable[[], None]
Watch = Callable[[str, str, int, "queue.Queue[Message]"], Close]
_CLOCK_S = 5.0
_FREE_HEAP = 0.12
_JOURNAL_PERMILLE = 500


def address(plan: Plan, given: str = "") -> tuple[str, int]:
    """Return host and port of the broker: as given, HOST:PORT, or of the settings."""
    uplink = plan.config.get("uplink", {})
    host, _, number = given.rpartition(":")
    if not host:
        host = str(uplink.get("host", "127.0.0.1"))
        number = str(uplink.get("port") or (8883 if uplink.get("tls") else 1883))
    return host, int(number)


def watcher(
    gateway: str,
    host: str,
    port: int,
    messages: "queue.Queue[Message]",
    authority: str = "",
    papers: tuple[str, ...] = (),
) -> Close:
    """Put births and states of one gateway into a queue; return what ends it.

    authority: file of who vouches for the broker, "" without TLS; papers: our certificate and its
    key, files in PEM. Raises OSError or ValueError when the broker is not reached.
    """
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    if authority:
        client.tls_set(authority, *papers[:2])  # type: ignore[arg-type]  # certificate, key

    def on_connect(*_: Any) -> None:
        for last in ("birth", "state"):
            client.subscribe(f"eclor/1/{gateway}/{last}", 1)

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


def is_ours(plan: Plan, folder: Path) -> bool:
    """Whether the broker wants TLS, and its authority is likely the one of this folder."""
    return bool(plan.config.get("uplink", {}).get("tls")) and (folder / "ca.pem").exists()


def as_visitor(folder: Path, passphrase: str) -> Watch:
    """Return a watcher for a broker with TLS whose authority is in this folder.

    The broker sees a certificate of one day, of a name that may only listen (permissions.py); its
    key is gone from this computer as soon as it is loaded.
    """
    authority = ca.load(folder, passphrase)

    def watch(gateway: str, host: str, port: int, messages: "queue.Queue[Message]") -> Close:
        certificate, key = authority.make_visitor(VISITOR)
        with tempfile.TemporaryDirectory() as made:
            paper, secret = Path(made) / "visitor.pem", Path(made) / "visitor.key"
            paper.write_bytes(ca.pem(certificate))
            write_secret(secret, key)
            papers = str(paper), str(secret)
            return watcher(gateway, host, port, messages, str(folder / "ca.pem"), papers)

    return watch


def judge(
    report: Report,
    messages: "queue.Queue[Message]",
    *,
    wait_s: float,
    cut: Callable[[], None] | None,
    tell: Tell = lambda share, words: None,
) -> None:
    """Add what a gateway shows that has just been started.

    wait_s: for each thing that is awaited. cut: takes the power away and gives it back.
    """
    tell(0.75, "waiting for the broker")
    births, state, is_stored = _hear(messages, "", wait_s)
    if not births:
        report.add(
            UPLINK,
            FAILED,
            f"the broker heard nothing of it for {wait_s:.0f} s",
            "eclor monitor shows what it says on its cable",
        )
        return
    if is_stored:
        report.add(UPLINK, GOOD, "on line, and the collector has acknowledged its records")
    else:
        report.add(
            UPLINK,
            FAILED,
            "on line, and nothing was acknowledged",
            "does the collector run, and has it the gateway's key?",
        )
    _clock(report, state)
    _heap(report, state)
    if cut:
        tell(0.85, "waiting for the power cut")
        cut()
        _power(report, _hear(messages, "power", wait_s), births[-1])
    else:
        report.add("power", SKIPPED, "no power cut was asked for")


_Heard = tuple[list[dict[str, Any]], dict[str, Any], bool]


def _hear(messages: "queue.Queue[Message]", cause: str, wait_s: float) -> _Heard:
    """Return births, the last state, and whether something was acknowledged."""
    births: list[dict[str, Any]] = []
    state: dict[str, Any] = {}
    first = None
    until_s = time.monotonic() + wait_s
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            topic, payload = messages.get(timeout=left_s)
            # A gateway with a key proves its words: 16 bytes follow the JSON.
            tree, _ = json.JSONDecoder().raw_decode(payload.decode(errors="replace"))
        except queue.Empty:
            break
        except ValueError:
            continue  # not of this firmware
        if topic == "birth" and (not cause or tree["cause"] == cause):
            births.append(tree)
            first = tree["first"]
        elif topic == "state" and births:
            state = tree
            if first is not None and tree["records"][0] > first:
                return births, state, True
    return births, state, False


def _clock(report: Report, state: dict[str, Any]) -> None:
    wall_ms = state.get("wall_ms", 0)
    off_s = abs(wall_ms / 1000 - time.time())
    if not wall_ms:
        report.add("clock", NOTE, "it does not know the time yet", "set clock.ntp")
    elif off_s > _CLOCK_S:
        report.add("clock", NOTE, f"{off_s:.0f} s from this computer's", "which one is wrong?")
    else:
        report.add("clock", GOOD, f"{off_s:.1f} s from this computer's")


def _heap(report: Report, state: dict[str, Any]) -> None:
    if not state:
        report.add("health", SKIPPED, "no live picture came")
        return
    used, free = state["heap"], state["heap_free"]
    full = state["journal"]
    words = f"heap {free // 1024} KB free of {(used + free) // 1024}; journal {full / 10:.0f} %"
    is_good = free / (used + free) > _FREE_HEAP and full < _JOURNAL_PERMILLE
    report.add("health", GOOD if is_good else NOTE, words)


def _power(report: Report, heard: _Heard, before: dict[str, Any]) -> None:
    births, _, is_stored = heard
    if not births:
        report.add(
            "power", FAILED, "after the power cut the broker heard nothing", "look at its supply"
        )
    elif births[-1]["journal"] != before["journal"] or births[-1]["next"] < before["next"]:
        report.add("power", FAILED, "after the power cut it has another journal", "eclor backup")
    elif not is_stored:
        report.add("power", FAILED, "it came back, and nothing was acknowledged")
    else:
        report.add("power", GOOD, "after a power cut it goes on where it was")
