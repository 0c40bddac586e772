"""The tamper contact of a housing.

Source: the contact's own wiring: the contact is closed to ground while the lid is on, so that
a cut cable reads as tampering.
"""

MAP = {
    "protocol": "contact",
    "maker": "generic",
    "model": "tamper contact",
    "source": "wiring of this project",
    "active": 1,
    "debounce_ms": 20,
    "events": ("tamper_ended", "tamper"),
    "points": (
        ("tamper", "", 0, "state", "state"),
        ("tampers", "", 0, "counter", "changes"),
    ),
}
