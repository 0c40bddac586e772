"""Carlo Gavazzi ET112, EM111, EM112: single phase, 100 A.

Source: Carlo Gavazzi EM111/EM112/ET112 serial communication protocol V3 R0, table 2.1, cited
from memory: low word first. Voltage, current, power, both active energies, frequency and the
identities 102 to 121 agree with victronenergy/dbus-cgwacs (Em112Commands), which runs on these
meters; compare the others with the display. A read of 0x000B by itself gives the identity; in a
longer read that register is the low word of the demand.
"""

MAP = {
    "protocol": "modbus",
    "maker": "Carlo Gavazzi",
    "model": "ET112",
    "source": "Carlo Gavazzi EM111/EM112/ET112 serial protocol V3 R0",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "CDAB",
    "max_registers": 50,
    "identity": (
        (4, 0x000B, 1, (120, 121, 102, 103, 104, 105, 106, 107, 108, 109, 110)),
        (4, 0x000B, 1, (111, 112, 113, 114, 115, 116, 117, 118, 119)),
    ),
    "points": (
        ("energy_import", "Wh", 2, "counter", 4, 0x0010, "int32", 2),
        ("energy_export", "Wh", 2, "counter", 4, 0x0020, "int32", 2),
        ("power", "W", -1, "gauge", 4, 0x0004, "int32", -1),
        ("voltage", "V", -1, "gauge", 4, 0x0000, "int32", -1),
        ("current", "A", -3, "gauge", 4, 0x0002, "int32", -3),
        ("apparent_power", "VA", -1, "gauge", 4, 0x0006, "int32", -1),
        ("reactive_power", "var", -1, "gauge", 4, 0x0008, "int32", -1),
        ("power_demand", "W", -1, "gauge", 4, 0x000A, "int32", -1),
        ("power_demand_max", "W", -1, "gauge", 4, 0x000C, "int32", -1),
        ("power_factor", "", -3, "gauge", 4, 0x000E, "int16", -3),
        ("frequency", "Hz", -1, "gauge", 4, 0x000F, "int16", -1),
        ("reactive_energy_import", "varh", 2, "counter", 4, 0x0012, "int32", 2),
    ),
}
