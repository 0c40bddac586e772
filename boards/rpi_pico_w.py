"""Raspberry Pi Pico W: RP2040, 2 MB flash, WiFi by a CYW43439.

Sources: RP2040 datasheet, 1.4.3 "GPIO functions" (UART pins), Pico W datasheet 2.1 (pins 23, 24,
25 and 29 belong to the WiFi chip, the LED hangs on it too); MicroPython
ports/rp2/boards/RPI_PICO_W (file system: the last 848 KiB); heap: measured on an emulated RP2040.
Pins come up pulled down, so a direction pin is low until the firmware drives it.
"""

BOARD = {
    "name": "rpi_pico_w",
    "title": "Raspberry Pi Pico W",
    "port": "rp2",
    "chip": "rp2040",
    "image": "RPI_PICO_W",
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
        "size": 2097152,
        "regions": (("firmware", 0, 1228800), ("files", 1228800, 868352)),
        "block": 4096,
        "erase_ms": 45,
        "program": 256,
        "small": 512,
        "segment": 8188,
    },
    "heap": 210016,
    "watchdog_ms": 8388,
}
