"""What Smart Data Models demand of the attributes that we send, as JSON Schema.

Not the models: those have some hundred attributes, and we name what we use. Types, limits, lists
and what is required are those of schema.json of dataModel.Energy/ACMeasurement,
dataModel.WaterConsumption/WaterConsumptionObserved, dataModel.WasteManagement/WasteContainer,
dataModel.Transportation/TrafficFlowObserved and dataModel.Device/Device, with common-schema.json,
as published in 2026; our entities were also put to those themselves.

    jsonschema.validate(tree, model("WasteContainer"))
"""

_NUMBER = {"type": "number"}
_POSITIVE = {"type": "number", "minimum": 0}
_FACTOR = {"type": "number", "minimum": -1, "maximum": 1}
_WHOLE = {"type": "integer"}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}


def _phases(of):
    names = ("L1", "L2", "L3")
    return {
        "type": "object",
        "properties": dict.fromkeys(names, of),
        "additionalProperties": False,
        "minProperties": 1,
    }


# Attribute: what it may be; required ones have a star.
_MODELS = {
    "ACMeasurement": {
        "*dateObserved": _TIME,
        "*location": None,
        "*phaseType": {"enum": ["singlePhase", "threePhase"]},
        "totalActiveEnergyImport": _POSITIVE,
        "totalActiveEnergyExport": _POSITIVE,
        "totalReactiveEnergyImport": _POSITIVE,
        "totalReactiveEnergyExport": _POSITIVE,
        "totalActivePower": _NUMBER,
        "totalReactivePower": _NUMBER,
        "totalApparentPower": _POSITIVE,
        "totalPowerFactor": _FACTOR,
        "frequency": _POSITIVE,
        "activePower": _phases(_POSITIVE),
        "reactivePower": _phases(_POSITIVE),
        "apparentPower": _phases(_POSITIVE),
        "phaseVoltage": _phases(_POSITIVE),
        "current": _phases(_NUMBER),
        "powerFactor": _phases(_FACTOR),
    },
    "WaterConsumptionObserved": {"waterConsumption": _WHOLE},
    "WasteContainer": {
        "*location": None,
        "fillingLevel": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "TrafficFlowObserved": {
        "*dateObserved": _TIME,
        "intensity": _POSITIVE,
        "averageVehicleSpeed": _POSITIVE,
    },
    "Device": {
        "category": {"type": "array", "items": {"enum": ["sensor", "actuator", "meter"]}},
        "*controlledProperty": {"type": "array", "items": {"enum": ["occupancy"]}, "minItems": 1},
        "value": {"type": "string"},
        "dateLastValueReported": _TIME,
    },
}
_PLACE = {
    "type": "object",
    "properties": {
        "type": {"const": "Point"},
        "coordinates": {"type": "array", "items": _NUMBER, "minItems": 2},
    },
    "required": ["type", "coordinates"],
}


def model(name):
    """Return the JSON Schema of one model, of what we send: anything else is wrong."""
    attributes = {key.lstrip("*"): what for key, what in _MODELS[name].items()}
    urn = {"type": "string", "pattern": f"^urn:ngsi-ld:{name}:"}
    return {
        "type": "object",
        "properties": {
            "id": urn,
            "type": {"const": name},
            **attributes,
            "location": _PLACE,
        },
        "required": ["id", "type", *(key[1:] for key in _MODELS[name] if key[0] == "*")],
        "additionalProperties": False,
    }
