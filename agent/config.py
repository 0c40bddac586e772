"""The configuration of one gateway: validate it, complete it, say every problem at once.

Not YAML: host_tools reads the technician's site.yaml and gives this module the same tree that
the device reads from its flash (agent/settings.py). The same rules run in both places.

    config, problems = validate(tree)
    problems    # ["ports[0].baud: 9601 is not one of 300, 600, ..."]
"""

from agent.clock import civil_from_days, days_from_civil
from agent.names import is_numeric, split_server
from agent.settings import SECRETS
from drivers import DRIVERS

_REQUIRED = object
_ON_PINS = ("pulse", "contact")  # protocols of inputs
_ALWAYS = ("pulse", "contact", "radar")  # what counts, or cannot wait: awake all the time
_WAKE_S = 60  # a start takes some seconds of it
_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)

# (key, type, default, rule); a default of _REQUIRED must be given. A rule is None, a pair of
# limits (both included) for a number, or a tuple of the allowed values for a text.
GATEWAY: tuple = (
    ("gateway", str, _REQUIRED, None),
    ("site", str, "", None),
    ("board", str, _REQUIRED, None),
    ("ports", list, _REQUIRED, None),
    ("meters", list, _REQUIRED, None),
    ("block", dict, {}, None),
    ("journal", dict, {}, None),
    ("network", dict, {}, None),
    ("uplink", dict, {}, None),
    ("privacy", dict, {}, None),
    ("clock", dict, {}, None),
    ("power", dict, {}, None),
    ("update", dict, {}, None),
    ("log", dict, {}, None),
)
PORT: tuple = (
    ("name", str, _REQUIRED, None),
    ("kind", str, "uart", ("uart", "pins", "tcp")),
    ("uart", str, "", None),
    ("pins", list, [], None),
    ("host", str, "", None),
    ("tcp_port", int, 502, (1, 65535)),
    ("baud", int, 9600, _BAUDS),
    ("bits", int, 8, (7, 8)),
    ("parity", str, "N", ("N", "E", "O")),
    ("stop", int, 1, (1, 2)),
    ("rs485", bool, False, None),
)
METER: tuple = (
    ("name", str, _REQUIRED, None),
    ("port", str, _REQUIRED, None),
    ("protocol", str, _REQUIRED, None),
    ("map", str, _REQUIRED, None),
    ("interval_s", int, 60, (1, 86400)),
    ("retries", int, 2, (0, 10)),
    ("personal", bool, False, None),
    ("consent", dict, {}, None),
    ("points", list, [], None),
    ("thin", list, [], None),
    ("options", dict, {}, None),
)
THIN: tuple = (  # agent/thin.py
    ("points", list, [], None),  # empty: all that no other row names
    ("resolution", str, "", None),  # decimals in the point's unit, as "0.5"
    ("deadband", str, "", None),
    ("silence_s", int, 900, (1, 86400)),
)
CONSENT: tuple = (
    ("reference", str, _REQUIRED, None),
    ("until", str, _REQUIRED, None),  # "2027-03-31", the last day included, UTC
    ("interval_s", int, _REQUIRED, (1, 86400)),
)
WIFI: tuple = (
    ("ssid", str, _REQUIRED, None),
    ("key", str, "", None),  # empty: an open network
)
SECTIONS: dict = {
    "block": (("flush_s", int, 60, (1, 86400)), ("size", int, 992, (128, 4000))),
    "journal": (("size_kb", int, 512, (32, 65536)), ("max_loss_s", int, 60, (5, 86400))),
    "network": (
        ("kind", str, "", ("", "wifi", "ethernet", "ppp")),
        ("wifi", list, [], None),
        ("uart", str, "", None),
        ("apn", str, "", None),
        ("auth", str, "none", ("none", "pap", "chap")),
        ("user", str, "", None),
        ("password", str, "", None),
        ("dns", list, [], None),
    ),
    "uplink": (
        ("kind", str, "mqtt", ("mqtt", "https")),
        ("format", str, "blocks", ("blocks", "senml")),
        ("topic", str, "", None),  # of senml; empty: eclor/1/<gateway>/senml
        ("host", str, "127.0.0.1", None),
        ("port", int, 0, (0, 65535)),  # 0: the usual one
        ("user", str, "", None),
        ("password", str, "", None),
        ("tls", bool, False, None),
        ("ca", str, "", None),  # files in DER; of the broker's authority
        ("cert", str, "", None),  # this gateway's own, with its key
        ("cert_key", str, "", None),
        ("keepalive_s", int, 60, (5, 3600)),
        ("dead_h", int, 24, (0, 8760)),  # 0: no cure for a dead uplink
        ("window", int, 8, (1, 64)),
        ("ahead", int, 64, (1, 1024)),
        ("acknowledge", str, "application", ("application", "puback")),
        ("key", str, "", None),
        ("state_s", int, 10, (1, 3600)),
        ("budget_kb_day", int, 0, (0, 10_000_000)),  # 0: bytes are not counted
    ),
    "privacy": (("key", str, "", None),),
    "clock": (("ntp", list, [], None),),
    "power": (
        ("sleep", bool, False, None),
        ("uplink_every", int, 12, (1, 1440)),
        ("awake_s", int, 120, (20, 3600)),
        ("low_mv", int, 0, (0, 60000)),  # 0: the supply is not looked at
    ),
    # uptime within which a new firmware must prove itself, and from which it may
    "update": (("trial_s", int, 3600, (10, 604800)), ("settle_s", int, 60, (1, 3600))),
    "log": (("level", str, "info", ("debug", "info", "warn", "error")),),
}


def validate(tree):
    """Return (config, problems): the tree with its defaults, and a text per problem.

    tree  dict as read from JSON or YAML; it is not changed. config is only fit for use when
          problems is empty. Each problem reads "path: what is wrong".
    """
    problems: list = []
    if not isinstance(tree, dict):
        return {}, ["the configuration is not a mapping of keys to values"]
    config = _fields(tree, GATEWAY, "", problems)
    for name, fields in SECTIONS.items():
        config[name] = _fields(config[name], fields, name + ".", problems)
    for name, fields in (("ports", PORT), ("meters", METER)):
        rows = []
        for i, row in enumerate(config[name]):
            where = "%s[%d]" % (name, i)
            if not isinstance(row, dict):
                problems.append("%s: is not a mapping of keys to values" % where)
                continue
            rows.append(_fields(row, fields, where + ".", problems))
        config[name] = rows
        _check_unique(rows, name, problems)
    _check_wifi(config["network"], problems)
    for section in ("uplink", "privacy"):
        if not _is_key(config[section]["key"]):
            problems.append("%s.key: the value is not 64 hexadecimal digits, nor empty" % section)
    _check_uplink(config["uplink"], problems)
    _check_privacy(config, problems)
    _check_thin(config["meters"], problems)
    _check_servers(config, problems)
    if config["power"]["sleep"]:
        _check_sleep(config, problems)
    kinds = {p["name"]: p["kind"] for p in config["ports"]}
    for i, port in enumerate(config["ports"]):
        if port["kind"] == "uart" and not port["uart"]:
            problems.append("ports[%d].uart: is required: which one of the board" % i)
        if port["kind"] == "pins" and not 0 < len(port["pins"]) <= 32:
            problems.append("ports[%d].pins: %d inputs, 1 .. 32" % (i, len(port["pins"])))
        if port["kind"] == "tcp" and not port["host"]:
            problems.append("ports[%d].host: is required: the meter's address" % i)
    ports = list(kinds)
    for i, meter in enumerate(config["meters"]):
        if meter["port"] not in ports:
            problems.append(
                "meters[%d].port: no port is named %s; there are %s"
                % (i, meter["port"], ", ".join([str(p) for p in ports]) or "none")
            )
        elif not _goes_on(meter["protocol"], kinds[meter["port"]]):
            problems.append(
                "meters[%d].port: %s and a port of kind %s do not go together"
                % (i, meter["protocol"], kinds[meter["port"]])
            )
        if meter["protocol"] not in DRIVERS:
            problems.append(
                "meters[%d].protocol: %s is not one of %s"
                % (i, meter["protocol"], ", ".join(sorted(DRIVERS)))
            )
    return config, problems


def _check_uplink(uplink, problems):
    """Complete the port and what a kind implies; say what does not go together."""
    if uplink["tls"] and not uplink["ca"]:
        problems.append("uplink.ca: is required with tls: the broker's authority, a DER file")
    if bool(uplink["cert"]) != bool(uplink["cert_key"]):
        problems.append("uplink.cert: goes with uplink.cert_key; only one of them is given")
    is_web = uplink["kind"] == "https"
    if is_web and not uplink["tls"] and not uplink["host"].startswith("127."):
        problems.append("uplink.tls: is required by https; only 127.0.0.1 may do without")
    if uplink["format"] == "senml":
        if is_web:
            problems.append("uplink.format: senml goes by mqtt; https posts blocks")
        else:
            uplink["acknowledge"] = "puback"
    elif uplink["topic"]:
        problems.append("uplink.topic: is for format senml; blocks have their own topics")
    if is_web and uplink["acknowledge"] == "puback":
        problems.append("uplink.acknowledge: puback is a word of mqtt")
    if not uplink["port"]:
        uplink["port"] = 443 if is_web else 8883 if uplink["tls"] else 1883


def _check_servers(config, problems):
    """Check the servers of time and names; those of names are not looked up themselves."""
    for section, key in (("clock", "ntp"), ("network", "dns")):
        for i, server in enumerate(config[section][key]):
            where = "%s.%s[%d]" % (section, key, i)
            try:
                host = split_server(server)[0]
            except (ValueError, AttributeError):
                problems.append("%s: %r is not host or host:port" % (where, server))
                continue
            if key == "dns" and not is_numeric(host):
                problems.append("%s: %s is not an IPv4 address" % (where, host))


def _check_sleep(config, problems):
    """Say what cannot sleep between its readings; blocks are sealed before each uplink."""
    config["block"]["flush_s"] = 86400
    for i, port in enumerate(config["ports"]):
        if port["kind"] == "tcp":
            problems.append(
                "ports[%d].kind: tcp needs the network at each wake of power.sleep" % i
            )
    for i, meter in enumerate(config["meters"]):
        if meter["protocol"] in _ALWAYS:
            problems.append(
                "meters[%d].protocol: %s would miss what happens in a sleep of power.sleep"
                % (i, meter["protocol"])
            )
        elif meter["interval_s"] < _WAKE_S:
            problems.append(
                "meters[%d].interval_s: %d is below %d, too short for power.sleep"
                % (i, meter["interval_s"], _WAKE_S)
            )


def _check_wifi(network, problems):
    """Complete each row of network.wifi. Lengths: IEEE 802.11, WPA2."""
    rows = []
    for i, row in enumerate(network["wifi"]):
        where = "network.wifi[%d]." % i
        if not isinstance(row, dict):
            problems.append("%s: is not a mapping of keys to values" % where[:-1])
            continue
        rows.append(_fields(row, WIFI, where, problems))
        if len(rows[-1]["ssid"].encode()) > 32:
            problems.append("%sssid: is longer than 32 bytes" % where)
        if rows[-1]["key"] and not 8 <= len(rows[-1]["key"]) <= 63:
            problems.append("%skey: the value has not 8 to 63 characters, nor none" % where)
    network["wifi"] = rows
    is_ppp = network["kind"] == "ppp"
    for key in ("uart", "apn"):
        if is_ppp and not network[key]:
            problems.append("network.%s: is required by ppp: the modem's port and network" % key)
    if (network["auth"] != "none") != bool(network["user"]):
        problems.append("network.auth: pap or chap goes with network.user; only one is given")
    apn = network["apn"]
    if len(apn) > 40 or '"' in apn or [c for c in apn if not 32 < ord(c) < 127]:
        problems.append("network.apn: %r is no name of an operator's network" % apn)


def _check_privacy(config, problems):
    """Complete each meter's consent; a personal meter needs the key of its pseudonym."""
    for i, meter in enumerate(config["meters"]):
        where = "meters[%d]." % i
        if meter["personal"] and not config["privacy"]["key"]:
            problems.append("%spersonal: needs privacy.key, 64 hexadecimal digits" % where)
        if not meter["consent"]:
            continue
        consent = _fields(meter["consent"], CONSENT, where + "consent.", problems)
        until_ms = _last_ms_of(consent["until"])
        if until_ms is None:
            shown = repr(consent["until"])
            problems.append("%sconsent.until: %s is not a day as 2027-03-31" % (where, shown))
        if not consent["reference"]:
            problems.append("%sconsent.reference: is empty: say where it is recorded" % where)
        consent["until_ms"] = until_ms or 0
        meter["consent"] = consent


def _check_thin(meters, problems):
    """Complete each meter's thin; what its points allow is known with its map only."""
    for i, meter in enumerate(meters):
        rows = []
        for j, row in enumerate(meter["thin"]):
            from agent.thin import row_problem

            where = "meters[%d].thin[%d]" % (i, j)
            if not isinstance(row, dict):
                problems.append("%s: is not a mapping of keys to values" % where)
                continue
            before = len(problems)
            rows.append(_fields(row, THIN, where + ".", problems))
            if len(problems) == before:
                problem = row_problem(rows[-1], meter["interval_s"])
                if problem:
                    problems.append("%s.%s: %s" % ((where,) + problem))
        meter["thin"] = rows


def _last_ms_of(day):
    """Return the last ms since 1970 of a day "YYYY-MM-DD" in UTC; None when it is no day."""
    parts = day.split("-")
    if len(parts) != 3 or [len(p) for p in parts] != [4, 2, 2]:
        return None
    try:
        date = tuple([int(p) for p in parts])
    except ValueError:
        return None
    days = days_from_civil(*date)
    if civil_from_days(days) != date:
        return None
    return (days + 1) * 86400000 - 1


def _is_key(text):
    """Tell whether this is a key of 32 bytes in hexadecimal, or none."""
    try:
        return len(text) in (0, 64) and len(bytes.fromhex(text)) * 2 == len(text)
    except ValueError:
        return False


def _check_unique(rows, name, problems):
    seen = set()
    for i, row in enumerate(rows):
        if row["name"] in seen:
            problems.append("%s[%d].name: %s is there twice" % (name, i, row["name"]))
        seen.add(row["name"])


def _fields(tree, fields, where, problems):
    """Return a dict with every field of the table; report unknown, absent and wrong ones."""
    out = {}
    known = [f[0] for f in fields]
    for key in tree:
        if key not in known:
            problems.append("%s%s: is not a key here; known: %s" % (where, key, ", ".join(known)))
    for key, kind, default, rule in fields:
        if key not in tree:
            if default is _REQUIRED:
                problems.append("%s%s: is required" % (where, key))
            out[key] = kind() if default is _REQUIRED else default
            continue
        value = tree[key]
        out[key] = value
        wrong = _wrong(value, kind, rule)
        if wrong:
            # A value that must not be printed is not printed, nor what may hold one.
            is_hidden = key in SECRETS or isinstance(value, (list, dict))
            shown = "the value" if is_hidden else repr(value)
            problems.append("%s%s: %s %s" % (where, key, shown, wrong))
            out[key] = default if default is not _REQUIRED else kind()
    return out


def _goes_on(protocol, kind):
    if kind == "tcp":
        return protocol == "modbus"
    return (protocol in _ON_PINS) == (kind == "pins")


def _wrong(value, kind, rule):
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return "is not %s" % _KIND_NAMES[kind]
    if rule is None or (kind is str and not rule):
        return ""
    if kind is int and len(rule) == 2 and rule[1] - rule[0] > 1:
        return "" if rule[0] <= value <= rule[1] else "is not within %d .. %d" % rule
    if value not in rule:
        return "is not one of " + ", ".join([str(r) for r in rule])
    return ""


_KIND_NAMES = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping of keys to values",
}
