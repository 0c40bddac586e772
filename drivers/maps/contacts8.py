"""Eight digital inputs on RS-485: doors, tamper, flood, mains present (generic).

Source: the project's own profile of the common layout: discrete inputs 0 to 7 by FC 2, relays by
FC 1 (Modbus Application Protocol V1.1b3, 6.1 and 6.2). Waveshare's Modbus RTU IO 8CH is one of
this kind (its wiki: 9600 8N1, address 1).
"""

MAP = {
    "protocol": "modbus",
    "maker": "generic",
    "model": "8 inputs, 4 relays",
    "source": "profile of this project; compare with the module's manual",
    "line": (9600, 8, "N", 1),
    "unit": 1,
    "words": "ABCD",
    "max_bits": 16,
    "points": (
        ("input_1", "", 0, "state", 2, 0, "coil"),
        ("input_2", "", 0, "state", 2, 1, "coil"),
        ("input_3", "", 0, "state", 2, 2, "coil"),
        ("input_4", "", 0, "state", 2, 3, "coil"),
        ("input_5", "", 0, "state", 2, 4, "coil"),
        ("input_6", "", 0, "state", 2, 5, "coil"),
        ("input_7", "", 0, "state", 2, 6, "coil"),
        ("input_8", "", 0, "state", 2, 7, "coil"),
        ("relay_1", "", 0, "state", 1, 0, "coil"),
        ("relay_2", "", 0, "state", 1, 1, "coil"),
        ("relay_3", "", 0, "state", 1, 2, "coil"),
        ("relay_4", "", 0, "state", 1, 3, "coil"),
    ),
}
