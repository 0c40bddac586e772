"""Raspberry Pi Pico 2 W: RP2350, 4 MB flash, WiFi by a CYW43439.

Sources: RP2350 datasheet, 9.4 "Function select" (UART pins, function 2), Pico 2 W datasheet 2.1
(pins 23, 24, 25 and 29 belong to the WiFi chip, the LED hangs on it too); MicroPython
ports/rp2/boards/RPI_PICO2_W (file system: the last 2560 KiB), ports/rp2 for the heap.
Pins come up pulled down, so a direction pin is low until the firmware drives it.
"""

BOARD = {
    "name": "rpi_pico2_w",
    "title": "Raspberry Pi Pico 2 W",
    "port": "rp2",
    "chip": "rp2350",
    "image": "RPI_PICO2_W",
    "uarts": {
        "uart0": {"id": 0, "tx": 0, "rx": 1, "direction": 2},
        "uart1": {"id": 1, "tx": 4, "rx": 5, "direction": 6},
    },
    "fifo": 32,
    "pins": {"in1": 10, "in2": 11, "in3": 12, "in4": 13},
    "led": "LED",
    "interfaces": {"wifi": {}},
    "flash": {
        "root": "",
        "size": 4194304,
        "regions": (("firmware", 0, 1572864), ("files", 1572864, 2621440)),
        "block": 4096,
        "erase_ms": 45,
        "program": 256,
        "small": 512,
        "segment": 8188,
    },
    "heap": 467596,
    "watchdog_ms": 16777,
}
