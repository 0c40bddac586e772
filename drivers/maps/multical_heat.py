"""Kamstrup MULTICAL 403, 603, 803 with the Modbus module 67, heat and cooling.

Source: Kamstrup HC-003-67 data sheet and Modbus register description: values every four registers
as float32 with the unit beside each, and totals as 32-bit integers. The address is the last three
digits of the customer number. The usual units are assumed: l/h, m3, kW, degC; MWh/100. Compare
with the unit registers of the meter at hand.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Kamstrup",
    "model": "MULTICAL 603 heat",
    "source": "Kamstrup HC-003-67 register description",
    "line": (9600, 8, "E", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "reply_ms": 1000,
    "points": (
        ("energy_heat", "Wh", 4, "counter", 3, 40, "uint32", 4),
        ("volume", "m3", -2, "counter", 3, 8, "float32"),
        ("power", "W", 0, "gauge", 3, 12, "float32", 3),
        ("flow", "m3/h", -3, "gauge", 3, 4, "float32", -3),
        ("temperature_supply", "degC", -2, "gauge", 3, 16, "float32"),
        ("temperature_return", "degC", -2, "gauge", 3, 20, "float32"),
    ),
}
