"""DIN rail S0 to Modbus pulse counter, four inputs (generic). isma_4di is one of a maker.

Source: the project's own profile of the common layout: four 32-bit pulse totals from address 0 by
FC 4, the input states by FC 2. Weight and medium belong to the site's configuration. A technician
whose counter differs copies this file into the site's folder.
"""

MAP = {
    "protocol": "modbus",
    "maker": "generic",
    "model": "S0 counter, 4 inputs",
    "source": "profile of this project; compare with the counter's manual",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_registers": 16,
    "points": (
        ("pulses_1", "", 0, "counter", 4, 0, "uint32"),
        ("pulses_2", "", 0, "counter", 4, 2, "uint32"),
        ("pulses_3", "", 0, "counter", 4, 4, "uint32"),
        ("pulses_4", "", 0, "counter", 4, 6, "uint32"),
        ("input_1", "", 0, "state", 2, 0, "coil"),
        ("input_2", "", 0, "state", 2, 1, "coil"),
        ("input_3", "", 0, "state", 2, 2, "coil"),
        ("input_4", "", 0, "state", 2, 3, "coil"),
    ),
}
