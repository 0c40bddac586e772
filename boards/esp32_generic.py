"""ESP32 with 4 MB flash and no external RAM, wired as on an ESP32-DevKitC V4 (WROOM-32E).

Sources: ESP32 datasheet, 2.2 "Pin overview" and appendix A (pins 34 to 39 only read, 6 to 11 are
the flash, 0, 2, 5, 12 and 15 decide how the chip starts, 1 and 3 are the serial console);
MicroPython ports/esp32/partitions-4MiB.csv (regions; the journal is taken from the files, by
eclor flash), ports/esp32/main.c (heap at the start; it
grows into what WiFi leaves). GPIO 16 and 17 stay free: on a WROVER module they are its RAM.
Pins 23 and 27 float during a reset: a resistor of 10 kOhm to ground keeps a transceiver silent.
"""

BOARD = {
    "name": "esp32_generic",
    "title": "ESP32 DevKitC",
    "port": "esp32",
    "chip": "esp32",
    "image": "ESP32_GENERIC",
    "uarts": {
        "uart1": {"id": 1, "tx": 25, "rx": 26, "direction": 27},
        "uart2": {"id": 2, "tx": 32, "rx": 33, "direction": 23},
    },
    "fifo": 128,
    "pins": {"in1": 18, "in2": 19, "in3": 21, "in4": 22},
    "led": None,
    "interfaces": {"wifi": {}},
    "flash": {
        "root": "",
        "size": 4194304,
        "regions": (
            ("bootloader", 4096, 28672),
            ("partitions", 32768, 4096),
            ("nvs", 36864, 24576),
            ("phy_init", 61440, 4096),
            ("firmware", 65536, 2031616),
            ("files", 2097152, 1048576),
            ("journal", 3145728, 1048576),
        ),
        "block": 4096,
        "erase_ms": 45,
        "program": 32,
        "small": 128,
        "segment": 4096,
    },
    "heap": 57344,
    "watchdog_ms": 60000,
}
