"""Kamstrup MULTICAL 403, 603, 803 with the Modbus module 67, water and pulse inputs.

Source: Kamstrup HC-003-67 data sheet and Modbus register description: values every four registers
as float32 with the unit beside each, and totals as 32-bit integers. The address is the last three
digits of the customer number. The usual units are assumed: l/h, m3; inputs counted in m3. Compare
with the unit registers of the meter at hand.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Kamstrup",
    "model": "MULTICAL 603 water",
    "source": "Kamstrup HC-003-67 register description",
    "line": (9600, 8, "E", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "reply_ms": 1000,
    "points": (
        ("volume", "m3", -2, "counter", 3, 48, "uint32", -2),
        ("volume_fine", "m3", -3, "counter", 3, 8, "float32"),
        ("flow", "m3/h", -3, "gauge", 3, 4, "float32", -3),
        ("volume_input_a", "m3", -3, "counter", 3, 24, "float32"),
        ("volume_input_b", "m3", -3, "counter", 3, 28, "float32"),
    ),
}
