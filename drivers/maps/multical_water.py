"""Kamstrup MULTICAL with a Modbus module, water and pulse inputs: the older register table.

Source: the offsets that aggsoft.com lists for the Multical module: a value every four registers as
float32, totals as 32-bit integers. NOT VERIFIED against Kamstrup's own document. The address is
the last three digits of the customer number. Units are told by registers that are not in that
list; the usual ones are assumed (l/h, m3; inputs counted in m3): compare with the display.
HC-003-67 and -82 of MULTICAL 403, 603 and 803 have other tables (Kamstrup 58101758_B1: by default
flow is at 0, power at 4, t1 at 6, t2 at 8; the one called legacy is of this kind): copy this file
and fill in the addresses of the document that came with the module.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Kamstrup",
    "model": "MULTICAL 603 water",
    "source": "Kamstrup Multical Modbus offsets (aggsoft.com); unverified",
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
