"""ESP32-S3 with 8 MB flash, wired as on an ESP32-S3-DevKitC-1-N8R8.

Sources: ESP32-S3 datasheet, 2.2 "Pin overview" (0, 3, 45 and 46 decide how the chip starts, 19
and 20 are USB, 26 to 32 the flash, 33 to 37 the octal RAM, 43 and 44 the serial console);
MicroPython ports/esp32/partitions-8MiB.csv (regions; the journal is taken from the files, by
eclor flash), ports/esp32/main.c (heap at the start; it
grows, and moves to the external RAM where there is one). The light of the DevKitC is a chain of
one WS2812, which is no pin to switch: it stays dark.
Pins 7 and 16 float during a reset: a resistor of 10 kOhm to ground keeps a transceiver silent.
"""

BOARD = {
    "name": "esp32_s3",
    "title": "ESP32-S3 DevKitC-1",
    "port": "esp32",
    "chip": "esp32s3",
    "image": "ESP32_GENERIC_S3",
    "uarts": {
        "uart1": {"id": 1, "tx": 17, "rx": 18, "direction": 16},
        "uart2": {"id": 2, "tx": 5, "rx": 6, "direction": 7},
    },
    "fifo": 128,
    "pins": {"in1": 8, "in2": 9, "in3": 10, "in4": 11},
    "led": None,
    "interfaces": {"wifi": {}},
    "flash": {
        "root": "",
        "size": 8388608,
        "regions": (
            ("bootloader", 0, 32768),
            ("partitions", 32768, 4096),
            ("nvs", 36864, 24576),
            ("phy_init", 61440, 4096),
            ("firmware", 65536, 2031616),
            ("files", 2097152, 5242880),
            ("journal", 7340032, 1048576),
        ),
        "block": 4096,
        "erase_ms": 45,
        "program": 32,
        "small": 128,
        "segment": 4096,
    },
    "heap": 65536,
    "watchdog_ms": 60000,
}
