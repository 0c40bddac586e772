"""Pulse output of a water or gas meter (reed contact or open collector), on an input.

Source: the type plate, which says what a pulse is: 10 l are the options `pulses: 1, steps: 10` (10
litres); without them a pulse is one litre. Electrically EN 1434-2:2015, class OA or OC.
"""

MAP = {
    "protocol": "pulse",
    "maker": "generic",
    "model": "pulse output, volume",
    "source": "EN 1434-2:2015",
    "active": 0,
    "debounce_ms": 30,
    "pulses": 1,
    "steps": 1,
    "points": (
        ("volume", "m3", -3, "counter", "total"),
        ("flow", "m3/h", -3, "gauge", "rate"),
    ),
}
