"""What each field of a site file is for, in words; the commented sample and the JSON Schema.

The fields, their defaults and limits are the device's own tables (agent/config.py); a test finds
a field without words. Not here: what is wrong with a file (site_file.py).

    print(sample())          # a site.yaml that explains itself
    schema()                 # JSON Schema 2020-12, for editors
"""

import json
import textwrap
from collections.abc import Iterable
from typing import Any

from agent import config
from drivers import DRIVERS
from host_tools.language import say
from host_tools.planning.map_file import map_names
from host_tools.planning.site_rules import board_names

WORDS = {
    "site": "The place, a short name: it goes with every reading.",
    "simulation": "For the demonstration only: what the simulated meters measure.",
    "gateways": "One gateway or more.",
    "gateway": "The gateway's name, unique for ever: readings are filed under it.",
    "board": "What it runs on; `eclor boards` shows pins and sources.",
    "ports": "The wires that leave the gateway: one entry for each.",
    "meters": "What is read: one entry for each meter.",
    "block": "How readings are packed before they are stored.",
    "journal": "How much is kept on the flash until the collector has it.",
    "network": "How the gateway reaches the network.",
    "uplink": "Where readings go.",
    "privacy": "What may leave about meters that belong to a household.",
    "clock": "Where the time comes from.",
    "power": "A battery site sleeps between its readings.",
    "log": "What the gateway says on its console.",
    "update": "How new firmware proves itself before it is kept.",
    "ports.name": "Your name for the wire; meters refer to it.",
    "ports.kind": "uart: a serial line. pins: contacts and pulses on inputs. tcp: Modbus meters on the network.",
    "ports.uart": "Which UART of the board; for kind uart.",
    "ports.pins": "Which inputs of the board, for kind pins; meters count them from 1.",
    "ports.host": "Address of the meter or converter, for kind tcp.",
    "ports.tcp_port": "Its port, for kind tcp: 502 for Modbus TCP.",
    "ports.baud": "Speed in bits per second, as on the meters' labels.",
    "ports.bits": "Data bits: 8, or 7 for TIC and IEC 62056-21.",
    "ports.parity": "N none, E even, O odd.",
    "ports.stop": "Stop bits; Modbus wants 2 with parity N, most meters live with 1.",
    "ports.rs485": "true: a two-wire line whose transceiver the gateway turns round.",
    "meters.name": "Your name for the meter; it leaves the gateway unless it is personal.",
    "meters.port": "The name of the port it is on.",
    "meters.protocol": "The language it speaks.",
    "meters.map": "Its make and model: `eclor maps` lists them. Your own: maps/NAME.py beside this file.",
    "meters.interval_s": "Seconds between two readings.",
    "meters.retries": "How often a question without an answer is asked again.",
    "meters.personal": "true: a household is behind it; it leaves under a pseudonym, once a day.",
    "meters.consent": "What the household has allowed beyond that; with personal.",
    "meters.points": "Which values to keep, of those the map has; empty: all of them.",
    "meters.thin": "Which values may be coarser or steadier than they are read: fewer bytes; empty: none.",
    "meters.thin.points": "Names of points; empty: all that no other entry names.",
    "meters.thin.resolution": 'Values are rounded to multiples of it, in the point\'s unit, as "0.5"; counters down.',
    "meters.thin.deadband": "While a value is at most so far from the one reported last, that one is reported again.",
    "meters.thin.silence_s": "After so many seconds at most it is reported as it is, so that a meter which stands still shows.",
    "meters.options": "What the protocol needs, as unit: 1 for Modbus.",
    "meters.consent.reference": "Where the consent is recorded.",
    "meters.consent.until": "Its last day, as 2027-03-31, in UTC.",
    "meters.consent.interval_s": "The finest interval it allows, in seconds.",
    "block.flush_s": "A block is closed after so many seconds: later is smaller, sooner is fresher.",
    "block.size": "Its largest size in bytes; with more than 8 meters they share 8 KB.",
    "journal.size_kb": "Flash for readings that wait; when it is full the oldest go, and that is said.",
    "journal.max_loss_s": "A power cut costs at most so many seconds; less wears the flash more.",
    "network.kind": "wifi, ethernet, or ppp for a cellular modem; empty: the board's first.",
    "network.uart": "The board's UART that a cellular modem is on. Its card must not ask for a PIN.",
    "network.apn": "The operator's name for its data network.",
    "network.auth": "How the operator wants the name and password: pap or chap; none: it wants none.",
    "network.user": "The name, where the operator wants one.",
    "network.password": "Secret that goes with the name.",
    "network.wifi": "Networks to try, in this order.",
    "network.wifi.ssid": "The network's name.",
    "network.wifi.key": "Its key, 8 to 63 characters; empty: an open network.",
    "network.dns": "Name servers by their addresses, asked in turn; empty: those the network names.",
    "uplink.kind": "mqtt to a broker; https where the network lets only the web through.",
    "uplink.format": "blocks for our collector; senml for a platform of others, a weaker promise.",
    "uplink.topic": "Where SenML is published; empty: eclor/1/GATEWAY/senml.",
    "uplink.host": "The broker, or the collector for https: an address, or a name.",
    "uplink.port": "Its port; 0: 1883, with TLS 8883, https 443.",
    "uplink.user": "Name for a broker that asks for one.",
    "uplink.password": "Secret that goes with it.",
    "uplink.tls": "true: encrypted, and the broker proves who it is. Use it outside a closed network.",
    "uplink.ca": "File on the gateway, DER: the authority that vouches for the broker.",
    "uplink.cert": "File, DER: this gateway's own certificate.",
    "uplink.cert_key": "File, DER: its key.",
    "uplink.keepalive_s": "A dead connection is noticed within about so many seconds.",
    "uplink.dead_h": "Hours without a confirmed record after which the gateway restarts; at half of them its interface does. 0: never.",
    "uplink.window": "Records sent before the first must be confirmed.",
    "uplink.ahead": "Records sent before the collector must have stored the first.",
    "uplink.acknowledge": "application: kept until the collector has stored it. puback: until the broker has it, a weaker promise.",
    "uplink.key": "Secret shared with the collector, 64 hexadecimal digits: orders and acknowledgements are then proved.",
    "uplink.budget_kb_day": "Kilobytes a day on a network that charges by them; live pictures wait first, then readings. 0: no limit.",
    "uplink.state_s": "Seconds between two live pictures for a screen; losing one loses nothing.",
    "privacy.key": "Secret of the pseudonyms, 64 hexadecimal digits; it never leaves the gateway.",
    "clock.ntp": "Time servers, host or host:port; with several, two must agree.",
    "power.sleep": "true: wake, read, store, sleep. Orders reach it only while it sends.",
    "power.uplink_every": "It sends at every so many wakes.",
    "power.awake_s": "A wake that waits for an answer ends after so many seconds.",
    "power.low_mv": "Below so many millivolts of supply nothing is erased on the flash; 0: it is not looked at.",
    "update.trial_s": "New firmware that has reached no collector by then gives way to the old.",
    "update.settle_s": "It must have run well for so many seconds before it is kept.",
    "log.level": "debug, info, warn or error.",
}
_KINDS = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}
_ROWS = {
    "ports": config.PORT,
    "meters": config.METER,
    "meters.thin": config.THIN,
    "network.wifi": config.WIFI,
}
_INNER = {"meters.consent": config.CONSENT, "meters.thin": config.THIN}
_REQUIRED = config._REQUIRED
# How the sample is filled in, where the default says nothing.
_SAMPLE: dict[str, Any] = {
    "site": "town-hall",
    "gateway": "gw-town-hall",
    "board": "esp32_poe",
    "ports": [
        {"name": "rs485", "uart": "uart1", "baud": 9600, "rs485": True},
        {"name": "linky", "uart": "uart2", "baud": 9600, "bits": 7, "parity": "E"},
    ],
    "meters": [
        {
            "name": "boiler-room",
            "port": "rs485",
            "protocol": "modbus",
            "map": "sdm630",
            "interval_s": 60,
            "points": ["energy_import", "power"],
            "options": {"unit": 1},
        },
        {
            "name": "delivery-point",
            "port": "linky",
            "protocol": "tic",
            "map": "linky_standard",
            "interval_s": 60,
        },
    ],
    "uplink": {"host": "192.0.2.10"},
    "clock": {"ntp": ["192.0.2.10"]},
}


def every_field() -> Iterable[tuple[str, tuple[Any, ...]]]:
    """Yield (path, row of the device's table) of every field, in its order."""
    for row in config.GATEWAY:
        yield row[0], row
        for member in config.SECTIONS.get(row[0], ()):
            yield f"{row[0]}.{member[0]}", member
            for inner in _ROWS.get(f"{row[0]}.{member[0]}", ()):
                yield f"{row[0]}.{member[0]}.{inner[0]}", inner
        for member in _ROWS.get(row[0], ()):
            yield f"{row[0]}.{member[0]}", member
            for inner in _ROWS.get(f"{row[0]}.{member[0]}", ()):
                yield f"{row[0]}.{member[0]}.{inner[0]}", inner
    for row in config.CONSENT:
        yield f"meters.consent.{row[0]}", row


# --- the sample


def sample(values: dict[str, Any] | None = None) -> str:
    """Return a site file in which every field is explained; what has a default is commented out.

    values: what to fill in, keys as the device's configuration has them; None: an example.
    """
    given = _SAMPLE if values is None else values
    out = _Text()
    out.words(
        say("What a gateway of this site reads, keeps and sends. Check it with: eclor check")
    )
    out.words(say("A line that begins with # shows a default; take the # away to change it."))
    out.gap()
    out.field("", "site", given["site"], say(WORDS["site"]))
    out.gap()
    out.words(say(WORDS["gateways"]))
    out.line("gateways:")
    first = True
    for name, _, default, rule in config.GATEWAY:
        if name == "site":
            continue
        indent = "  - " if first else "    "
        first = False
        key = "name" if name == "gateway" else name
        out.indent = "    "
        if name in _ROWS:
            out.gap()
            out.words(say(WORDS[name]))
            out.line(f"    {key}:" + ("" if given.get(name) else " []"))
            for number, row in enumerate(given.get(name) or ()):
                _row(out, name, row, is_first=number == 0)
        elif name in config.SECTIONS:
            out.gap()
            _section(out, name, given.get(name) or {})
        else:
            words = _with_rule(say(WORDS[name]), rule, default)
            out.field(indent, key, given.get(name, default), words)
    return out.text()


def _row(out: "_Text", table: str, row: dict[str, Any], *, is_first: bool) -> None:
    """Write one port or meter; every field is explained at the first one only."""
    begin = "      - "
    for name, _, default, rule in _ROWS[table]:
        path = f"{table}.{name}"
        words = _with_rule(say(WORDS[path]), rule, default) if is_first else ""
        is_given = name in row
        if not is_given and not is_first:
            continue
        out.indent = "        "
        value = row[name] if is_given else default
        out.field(begin, name, value, words, is_default=not is_given)
        if is_given:
            begin = "        "
        if path in _INNER and is_first:
            for number, (inner, _, _, inner_rule) in enumerate(_INNER[path]):
                lead = "" if path not in _ROWS else "  " if number else "- "
                words = _with_rule(say(WORDS[f"{path}.{inner}"]), inner_rule, None)
                out.words(f"  {lead}{inner}: {words}")


def _section(out: "_Text", section: str, given: dict[str, Any]) -> None:
    out.indent = "    "
    out.words(say(WORDS[section]))
    out.line(f"    {section}:" if given else f"    # {section}:")
    for name, _, default, rule in config.SECTIONS[section]:
        path = f"{section}.{name}"
        out.indent = "      "
        out.field(
            "      ",
            name,
            given.get(name, default),
            _with_rule(say(WORDS[path]), rule, default),
            is_default=name not in given,
        )
        for inner, _, _, _ in _ROWS.get(path, ()):
            out.words(f"  - {inner}: {say(WORDS[f'{path}.{inner}'])}")


def _with_rule(words: str, rule: Any, default: Any) -> str:
    if rule is None:
        return words
    if isinstance(rule[0], int) and len(rule) == 2 and rule[1] - rule[0] > 1:
        limits = say("{low} to {high}", low=rule[0], high=rule[1])
    else:
        limits = ", ".join(str(each) for each in rule if each != "")
    return f"{words} [{limits}]"


class _Text:
    """Lines of YAML under comments."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.indent = ""

    def words(self, words: str) -> None:
        lead = self.indent + "# "
        hanging = "  " if words.startswith(" ") else ""
        self._lines += textwrap.wrap(
            words,
            99,
            initial_indent=lead,
            subsequent_indent=lead + hanging,
            break_on_hyphens=False,
            break_long_words=False,
        )

    def line(self, line: str) -> None:
        self._lines.append(line)

    def gap(self) -> None:
        self._lines.append("")

    def field(
        self, begin: str, key: str, value: Any, words: str = "", *, is_default: bool = False
    ) -> None:
        """Write `key: value` under its words; a default is commented out."""
        if words:
            self.words(words)
        text = f"{key}: {_yaml(value)}"
        self._lines.append(f"{self.indent}# {text}" if is_default else f"{begin}{text}")

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"


def _yaml(value: Any) -> str:
    """Return a value in YAML's flow style, quoted where a reader could take it for another."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_yaml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(v) for v in value) + "]"
    text = str(value)
    plain = text.replace("-", "").replace("_", "").replace(".", "")
    words = ("true", "false", "yes", "no", "on", "off", "null", "n", "y")
    is_plain = plain.isalnum() and text[0].isalpha() and text.lower() not in words
    if isinstance(value, int) or is_plain or text == "N":
        return text
    return json.dumps(text, ensure_ascii=False)


# --- the schema


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a site file."""
    gateway = _object("", config.GATEWAY)
    properties = gateway["properties"]
    properties["name"] = properties.pop("gateway")
    properties.pop("site")
    gateway["required"] = ["name", *(k for k in gateway["required"] if k != "gateway")]
    properties["board"]["enum"] = board_names()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Éclor Edge site",
        "type": "object",
        "additionalProperties": False,
        "required": ["site", "gateways"],
        "properties": {
            "site": {"type": "string", "minLength": 1, "description": WORDS["site"]},
            "simulation": {"type": "object", "description": WORDS["simulation"]},
            "gateways": {
                "type": "array",
                "minItems": 1,
                "items": gateway,
                "description": WORDS["gateways"],
            },
        },
    }


def _object(where: str, fields: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
    properties = {row[0]: _property(f"{where}{row[0]}", row) for row in fields}
    required = [row[0] for row in fields if row[2] is _REQUIRED]
    out = {"type": "object", "additionalProperties": False, "properties": properties}
    return out | ({"required": required} if required else {})


def _property(path: str, row: tuple[Any, ...]) -> dict[str, Any]:
    _, kind, default, rule = row
    out: dict[str, Any] = {"type": _KINDS[kind], "description": WORDS[path]}
    if kind is int and rule and len(rule) == 2 and rule[1] - rule[0] > 1:
        out |= {"minimum": rule[0], "maximum": rule[1]}
    elif rule:
        out["enum"] = list(rule)
    if path == "meters.consent":
        out = _object(f"{path}.", config.CONSENT) | {"description": WORDS[path]}
    elif path in config.SECTIONS:
        out = _object(f"{path}.", config.SECTIONS[path]) | {"description": WORDS[path]}
    elif path in _ROWS:
        out["items"] = _object(f"{path}.", _ROWS[path])
    elif kind is list:
        out["items"] = {"type": "string"}
    if path == "meters.protocol":
        out["enum"] = sorted(DRIVERS)
    if path == "meters.map":
        out["examples"] = map_names()
    if default is not _REQUIRED and not isinstance(default, dict):
        out["default"] = default
    return out
