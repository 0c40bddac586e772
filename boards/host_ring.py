"""This computer with a raw journal: as boards/host.py, and a second file as bare flash.

Source: measured with MicroPython 1.29-preview. Objects are 64-bit, so the heap of 384 KB holds
about what 192 KB hold on a Pico W.
"""

BOARD = {
    "name": "host_ring",
    "title": "This computer, raw journal",
    "port": "unix",
    "chip": "host",
    "image": "",
    "uarts": {"uart1": {}, "uart2": {}, "uart3": {}},
    "fifo": 0,
    "pins": {"in1": 0, "in2": 1, "in3": 2, "in4": 3},
    "led": None,
    "interfaces": {},
    "flash": {
        "root": "/flash",
        "size": 1310720,
        "regions": (("files", 0, 1048576), ("journal", 1048576, 262144)),
        "block": 4096,
        "erase_ms": 0,
        "program": 32,
        "small": 128,
        "segment": 4096,
    },
    "heap": 393216,
    "watchdog_ms": 60000,
}
