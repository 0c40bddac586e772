"""NGSI-LD: entities into a context broker (Orion-LD, Stellio, Scorpio) by batch upsert.

Not what an entity is (smart_data.py). One request holds each entity once, because a broker may
apply a batch in any order; history follows in further requests, oldest first, so that a broker
with a temporal interface records it.

Source: ETSI GS CIM 009 V1.8.1, 5.6.8 and 6.15 (batch entity create or update, 201, 204, 207).

    NGSI("http://127.0.0.1:1026", rules.place_of).send(readings)
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import httpx

from host_tools.collect.outputs import Reading
from host_tools.collect.outputs.smart_data import Entity, Position, entity_of

_TIMEOUT_S = 30.0
_MOST = 500  # entities in one request
_CONTEXT = (
    "https://raw.githubusercontent.com/smart-data-models/data-models/master/context.jsonld",
    "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld",
)

log = logging.getLogger("eclor.ngsi")


class NGSI:
    """One context broker.

    position   gives (longitude, latitude) of gateway and meter; where the model wants a place and
               there is none, the meter stays at home, and that is said
    context    of the JSON-LD, where an own copy of the contexts is served
    """

    def __init__(
        self,
        url: str,
        position: Callable[[str, str], Position | None] = lambda *_: None,
        token: str = "",
        tenant: str = "",
        context: Sequence[str] = _CONTEXT,
    ) -> None:
        self._url = url.rstrip("/") + "/ngsi-ld/v1/entityOperations/upsert?options=update"
        self._position = position
        self._context = list(context)
        self._headers = {"Content-Type": "application/ld+json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        if tenant:
            self._headers["NGSILD-Tenant"] = tenant
        self._unplaced: set[str] = set()  # meters of which that was said
        self.refused = 0  # entities that the broker did not want, since the start

    def send(self, readings: Sequence[Reading]) -> None:
        """Upsert what readings say; httpx.HTTPError when the broker did not take a request.

        Single entities that the broker refuses (207) are logged and counted: sending them again
        would not mend them, and the others must not wait behind them.
        """
        for batch in batches(self._entities(readings)):
            body = encode([normalised(entity, self._context) for entity in batch])
            answer = httpx.post(self._url, content=body, headers=self._headers, timeout=_TIMEOUT_S)
            answer.raise_for_status()
            if answer.status_code == 207:
                for error in answer.json().get("errors", []):
                    self.refused += 1
                    log.warning("refused: %s", json.dumps(error)[:500])

    def _entities(self, readings: Iterable[Reading]) -> Iterable[Entity]:
        for reading in readings:
            position = self._position(reading.gateway, reading.meter)
            entity = entity_of(reading, position)
            if entity is not None:
                yield entity
            elif position is None and entity_of(reading, (0, 0)) is not None:
                self._say_unplaced(f"{reading.gateway}/{reading.meter}")

    def _say_unplaced(self, meter: str) -> None:
        if meter not in self._unplaced:
            self._unplaced.add(meter)
            log.warning("%s: its model wants a place, see `places` of the rules; not sent", meter)


def batches(entities: Iterable[Entity]) -> list[list[Entity]]:
    """Split entities into requests that hold each id once, keeping the order of each id."""
    made: list[dict[str, Entity]] = []
    rank: dict[str, int] = {}
    for entity in entities:
        at = rank.get(entity.id, 0)
        while at < len(made) and len(made[at]) >= _MOST:
            at += 1
        if at == len(made):
            made.append({})
        made[at][entity.id] = entity
        rank[entity.id] = at + 1
    return [list(batch.values()) for batch in made]


def normalised(entity: Entity, context: Sequence[str]) -> dict[str, Any]:
    """Return the normalised representation (ETSI GS CIM 009, 4.5.1)."""
    tree: dict[str, Any] = {"id": entity.id, "type": entity.type}
    for name, (value, code) in entity.attributes.items():
        if code == "geo":
            tree[name] = {"type": "GeoProperty", "value": value}
            continue
        attribute: dict[str, Any] = {"type": "Property", "value": value}
        attribute["observedAt"] = entity.observed_at
        if code:
            attribute["unitCode"] = code
        tree[name] = attribute
    tree["@context"] = list(context)
    return tree


def encode(tree: Any) -> bytes:
    """Return JSON in which a Decimal keeps its digits."""
    numbers: list[str] = []

    def plain(value: Any) -> str:
        assert isinstance(value, Decimal)
        numbers.append(format(value, "f"))
        return f"\0{len(numbers) - 1}\0"

    text = json.dumps(tree, default=plain, separators=(",", ":"))
    # json has no decimal type: the quotes around an exact number are taken off again.
    return re.sub(r'"\\u0000(\d+)\\u0000"', lambda found: numbers[int(found[1])], text).encode()
