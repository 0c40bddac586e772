"""A record's readings as SenML JSON (RFC 8428), for platforms that do not know our blocks.

Not here: when they are sent and what an acknowledgement means (agent/platform.py). A pack holds
as many readings as fit; values are the exact decimals; what has no value is left out, because
SenML has no word for "nothing there". An event is a text.

    for pack in packs_of_block(payload, schema, to_wall_ms): ...
    # b'[{"bn":"gw-ecole/main/","bt":1700000000.000,"n":"power","u":"W","v":1250},...]'
"""

import json

from micropython import const

from agent.codec import decode
from drivers.reading import decimal_text

PACK_MAX = const(3000)
_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-:._"  # RFC 8428, 4.5.1
_UNITS = {"degC": "Cel"}  # where SenML's registry spells it otherwise


def name_of(text):
    """Return a name that SenML allows: other characters become "_"."""
    return "".join([c if c in _NAME else "_" for c in text])


def packs_of_block(payload, schema, to_wall_ms):
    """Yield the packs of one BLOCK payload (bytes) as bytes.

    schema       dict of agent/report.py, of the block's own configuration
    to_wall_ms   function(at_ms) -> ms since 1970
    Raises agent/codec.BadBlock.
    """
    block = decode(payload)
    meter = schema["meters"][block.meter]
    base = "%s/%s/" % (name_of(schema["gateway"]), name_of(meter["name"]))
    entries: list = []
    size = 0
    base_ms = 0
    for at_ms, values, _ in block.rows:
        wall_ms = to_wall_ms(at_ms)
        for i, point in enumerate(meter["points"]):
            if values[i] is None:
                continue
            if not entries:
                base_ms = wall_ms
                head = '{"bn":"%s","bt":%s,' % (base, _seconds(wall_ms))
            else:
                head = "{"
                if wall_ms != base_ms:
                    head += '"t":%s,' % _seconds(wall_ms - base_ms)
            unit = _UNITS.get(point[1], point[1])
            unit = '"u":%s,' % json.dumps(unit) if unit else ""
            value = decimal_text(values[i], point[2])
            entries.append('%s"n":"%s",%s"v":%s}' % (head, name_of(point[0]), unit, value))
            size += len(entries[-1]) + 1
        if size >= PACK_MAX - 1000:
            yield _pack(entries)
            entries = []
            size = 0
    if entries:
        yield _pack(entries)


def pack_of_event(event, gateway):
    """Return the pack of one EVENT record's dict; its at_ms is true time."""
    where = name_of(gateway)
    if event["meter"]:
        where += "/" + name_of(event["meter"])
    what = event["what"] + (": " + event["why"] if event["why"] else "")
    text = '[{"bn":"%s/","bt":%s,"n":"event","vs":%s}]'
    return (text % (where, _seconds(event["at_ms"]), json.dumps(what))).encode()


def _pack(entries):
    return ("[" + ",".join(entries) + "]").encode()


def _seconds(ms):
    return decimal_text(ms, -3)
