"""Olimex ESP32-POE: ESP32-WROOM-32E, 4 MB flash, Ethernet by a LAN8710A, power from the cable.

Sources: Olimex ESP32-POE schematic, revision L (UEXT: GPIO 4 out, 36 in; PHY at address 0, MDC 23,
MDIO 18, power 12, its clock leaves the chip at 17); ESP32 datasheet 2.2 (19, 21, 22, 25, 26, 27
are RMII; 36 only reads); MicroPython ports/esp32/boards/OLIMEX_ESP32_POE (the image knows the
clock; naming it again makes revision L fail, micropython#14013), partitions-4MiB.csv (the
journal is taken from the files by eclor flash).
uart1 is the UEXT connector, its direction pin is on EXT; uart2 has none: for meters that push, or
a transceiver that turns by itself. GPIO 5, 13 and 14 are pulled up at a reset, and would send.
The inputs 14 and 16 are the card's clock and the I2C clock: no card, nothing on I2C.
The variant ESP32-POE-WROVER clocks its PHY from GPIO 0 and is another board.
"""

BOARD = {
    "name": "esp32_poe",
    "title": "Olimex ESP32-POE",
    "port": "esp32",
    "chip": "esp32",
    "image": "OLIMEX_ESP32_POE",
    "uarts": {
        "uart1": {"id": 1, "tx": 4, "rx": 36, "direction": 33},
        "uart2": {"id": 2, "tx": 32, "rx": 13, "direction": None},
    },
    "fifo": 128,
    "pins": {"in1": 16, "in2": 14},
    "led": None,
    "interfaces": {
        "ethernet": {"phy": "LAN8720", "address": 0, "mdc": 23, "mdio": 18, "power": 12},
        "wifi": {},
    },
    "reserved": (17, 19, 21, 22, 25, 26, 27),
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
