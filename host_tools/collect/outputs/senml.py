"""SenML again over MQTT: one pack (RFC 8428) per reading, for whoever reads that.

Republisher("mqtt://127.0.0.1:1883/senml").send(readings)     # senml/<gateway>/<meter>
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collect.outputs import Reading
from host_tools.collect.outputs.ngsi import encode
from host_tools.collect.senml import UNITS

_TIMEOUT_S = 30.0


class Republisher:
    """One broker; url: mqtt://HOST:PORT/TOPIC, the topic's beginning."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 1883)
        self._topic = parts.path.strip("/") or "senml"

    def send(self, readings: Sequence[Reading]) -> None:
        """Publish at QoS 1 and wait for each PUBACK; OSError when the broker is not there."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.connect(*self._address)
        client.loop_start()
        try:
            sent = [
                client.publish(
                    f"{self._topic}/{reading.gateway}/{reading.meter}", pack(reading), 1
                )
                for reading in readings
            ]
            for one in sent:
                one.wait_for_publish(_TIMEOUT_S)
                if not one.is_published():
                    raise OSError(f"{self._address[0]}:{self._address[1]} does not acknowledge")
        except (ValueError, RuntimeError) as error:
            raise OSError(str(error)) from None
        finally:
            client.disconnect()
            client.loop_stop()


def pack(reading: Reading) -> bytes:
    """Return one SenML pack; a null is left out, SenML has no word for it."""
    records: list[dict[str, object]] = []
    for value in reading.values:
        if value.number is None:
            continue
        record: dict[str, object] = {}
        if not records:
            record["bn"] = f"{reading.gateway}/{reading.meter}/"
            record["bt"] = Decimal(reading.at_ms).scaleb(-3)
        record["n"] = value.point
        if value.unit:
            record["u"] = UNITS.get(value.unit, value.unit)
        records.append({**record, "v": Decimal(value.number)})
    return encode(records) if records else json.dumps([]).encode()
