"""iSMA CONTROLLI SFAR-1M-4DI-M: four inputs with 32-bit pulse counters (S0), DIN rail, RS-485.

Source: iSMA CONTROLLI documentation, SFAR-1M-4DI-M V3.1, Module Registers: inputs at 30051, the
counters from 40053, low word first. Rate, parity and address are set on the module: the line here
is only where to begin, `eclor scan` finds it.
"""

MAP = {
    "protocol": "modbus",
    "maker": "iSMA CONTROLLI",
    "model": "SFAR-1M-4DI-M",
    "source": "iSMA CONTROLLI SFAR-1M-4DI-M V3.1, Module Registers",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "CDAB",
    "max_registers": 125,
    "points": (
        ("pulses_1", "", 0, "counter", 3, 52, "uint32"),
        ("pulses_2", "", 0, "counter", 3, 54, "uint32"),
        ("pulses_3", "", 0, "counter", 3, 56, "uint32"),
        ("pulses_4", "", 0, "counter", 3, 58, "uint32"),
        ("input_1", "", 0, "state", 4, 50, "bit:0"),
        ("input_2", "", 0, "state", 4, 50, "bit:1"),
        ("input_3", "", 0, "state", 4, 50, "bit:2"),
        ("input_4", "", 0, "state", 4, 50, "bit:3"),
    ),
}
