"""S0 pulse output of an electricity meter, on an input of the gateway.

Source: EN 62053-31:1998, class A. The meter's plate says how many pulses make a kilowatt-hour:
800 imp/kWh are the options `pulses: 800, steps: 1000` (1000 Wh); without them 1000 imp/kWh.
"""

MAP = {
    "protocol": "pulse",
    "maker": "generic",
    "model": "S0, electricity",
    "source": "EN 62053-31:1998",
    "active": 0,
    "debounce_ms": 20,
    "pulses": 1000,
    "steps": 1000,
    "points": (
        ("energy_import", "Wh", 0, "counter", "total"),
        ("power", "W", 0, "gauge", "rate"),
    ),
}
