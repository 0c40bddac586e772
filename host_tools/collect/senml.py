"""SenML JSON (RFC 8428) of stored readings: the yardstick for size, and a form others can read.

pack(samples_of_one_reading)     # b'[{"bn":"gw-ecole/main/","bt":1700000000.0,"n":"power",...'
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host_tools.collect.queries import Sample

# RFC 8428, 12.1, and RFC 8798: our unit texts where SenML registered another spelling.
UNITS = {"degC": "Cel", "m3": "m3", "VA": "VA", "var": "var", "Wh": "Wh", "l": "l"}


def pack(samples: Sequence["Sample"]) -> bytes:
    """Return one SenML pack of samples of one meter and one instant, UTF-8 JSON.

    Points without a value are left out: SenML has no word for "nothing there".
    """
    records: list[dict[str, object]] = []
    for sample in samples:
        exact = sample.text()
        if exact is None:
            continue
        record: dict[str, object] = {}
        if not records:
            record["bn"] = f"{sample.gateway}/{sample.meter}/".lstrip("/")
            record["bt"] = (sample.at_ms or 0) / 1000
        record["n"] = sample.point
        if sample.unit:
            record["u"] = UNITS.get(sample.unit, sample.unit)
        records.append({**record, "v": exact})
    lines = json.dumps(records, separators=(",", ":"))
    for record in records:
        # json has no decimal type: the quotes around an exact number are taken off again.
        lines = lines.replace(f'"v":"{record["v"]}"', f'"v":{record["v"]}', 1)
    return lines.encode()
