"""A context broker's batch upsert as ETSI GS CIM 009 V1.8.1 says (6.15), and what it then holds.

Not a broker: no queries, no subscriptions. It refuses what the standard refuses.

    with ContextBroker() as broker: ...     # broker.url, broker.entities, broker.history
"""

import json
import re

from tests.fakes.sinks import HTTPSink

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_URN = re.compile(r"urn:[a-z0-9-]+:\S+")


class ContextBroker(HTTPSink):
    """Keeps entities; `unwanted` ids get an error of their own (207)."""

    def __init__(self):
        super().__init__(self._answer)
        self.entities = {}
        self.history = []  # (id, attribute, observedAt, value) in the order of arrival
        self.unwanted = set()

    def _answer(self, path, headers, body):
        if self.status >= 400:
            return self.status, b""
        if not path.startswith("/ngsi-ld/v1/entityOperations/upsert?options=update"):
            return 404, b""
        if headers["Content-Type"] != "application/ld+json":
            return 415, b""
        found = json.loads(body)
        ids = [entity.get("id") for entity in found]
        if not found or len(set(ids)) != len(ids):
            return 400, b'{"title": "no entities, or one twice"}'
        new, errors = [], []
        for entity in found:
            wrong = self._wrong(entity)
            if wrong or entity["id"] in self.unwanted:
                detail = wrong or "not wanted"
                errors.append({"entityId": entity["id"], "error": {"title": detail}})
                continue
            if entity["id"] not in self.entities:
                new.append(entity["id"])
            self.entities.setdefault(entity["id"], {}).update(entity)
            for name, member in entity.items():
                if isinstance(member, dict) and "observedAt" in member:
                    row = (entity["id"], name, member["observedAt"], member["value"])
                    self.history.append(row)
        if errors:
            done = [of for of in ids if of not in {error["entityId"] for error in errors}]
            return 207, json.dumps({"success": done, "errors": errors}).encode()
        return (201, json.dumps(new).encode()) if new else (204, b"")

    def _wrong(self, entity):
        if not _URN.fullmatch(str(entity.get("id"))) or not entity.get("type"):
            return "no id or type"
        if not entity.get("@context"):
            return "application/ld+json without @context"
        for name, member in entity.items():
            if name in ("id", "type", "@context"):
                continue
            if not isinstance(member, dict) or member.get("type") not in (
                "Property",
                "GeoProperty",
                "Relationship",
            ):
                return f"{name} is no attribute"
            if member.get("value") is None:
                return f"{name} has no value"
            if not _TIME.fullmatch(member.get("observedAt", "2000-01-01T00:00:00Z")):
                return f"{name}: observedAt is no time"
        return ""
