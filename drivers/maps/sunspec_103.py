"""SunSpec model 103: three phase inverter (101 and 102: single and split phase, the same layout).

Source: SunSpec Alliance, Information Model Reference, smdx_00103 (Apache-2.0 JSON of
sunspec/models). Addresses count from the model's id register; a scale in brackets is the register
of the factor (sunssf). Absent: 0x8000, 0xFFFF, NaN, 0 in an accumulator.
"""

MAP = {
    "protocol": "modbus",
    "maker": "SunSpec",
    "model": "103",
    "source": "SunSpec Information Model Reference, smdx_00103",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 125,
    "models": (103, 101, 102),
    "bases": (40000, 50000, 0),
    "points": (
        ("energy_export", "Wh", 0, "counter", 3, 24, "acc32", (26,)),
        ("power", "W", 0, "gauge", 3, 14, "int16", (15,), (32768,)),
        ("current", "A", -2, "gauge", 3, 2, "uint16", (6,)),
        ("current_l1", "A", -2, "gauge", 3, 3, "uint16", (6,)),
        ("current_l2", "A", -2, "gauge", 3, 4, "uint16", (6,)),
        ("current_l3", "A", -2, "gauge", 3, 5, "uint16", (6,)),
        ("voltage_l1_l2", "V", -1, "gauge", 3, 7, "uint16", (13,)),
        ("voltage_l2_l3", "V", -1, "gauge", 3, 8, "uint16", (13,)),
        ("voltage_l3_l1", "V", -1, "gauge", 3, 9, "uint16", (13,)),
        ("voltage_l1", "V", -1, "gauge", 3, 10, "uint16", (13,)),
        ("voltage_l2", "V", -1, "gauge", 3, 11, "uint16", (13,)),
        ("voltage_l3", "V", -1, "gauge", 3, 12, "uint16", (13,)),
        ("frequency", "Hz", -2, "gauge", 3, 16, "uint16", (17,)),
        ("apparent_power", "VA", 0, "gauge", 3, 18, "int16", (19,), (32768,)),
        ("reactive_power", "var", 0, "gauge", 3, 20, "int16", (21,), (32768,)),
        ("power_factor", "%", -2, "gauge", 3, 22, "int16", (23,), (32768,)),
        ("current_dc", "A", -2, "gauge", 3, 27, "uint16", (28,)),
        ("voltage_dc", "V", -1, "gauge", 3, 29, "uint16", (30,)),
        ("power_dc", "W", 0, "gauge", 3, 31, "int16", (32,), (32768,)),
        ("temperature_cabinet", "degC", -1, "gauge", 3, 33, "int16", (37,), (32768,)),
        ("temperature_sink", "degC", -1, "gauge", 3, 34, "int16", (37,), (32768,)),
        ("temperature_transformer", "degC", -1, "gauge", 3, 35, "int16", (37,), (32768,)),
        ("temperature_other", "degC", -1, "gauge", 3, 36, "int16", (37,), (32768,)),
        ("operating_state", "", 0, "state", 3, 38, "uint16"),
        ("vendor_state", "", 0, "state", 3, 39, "uint16"),
        ("events", "", 0, "state", 3, 40, "bits32"),
    ),
}
