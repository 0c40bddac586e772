"""This computer as a board: MicroPython's unix port, pseudo-terminals, a file as flash.

Source: measured with MicroPython 1.29-preview. Objects are 64-bit: what fills the heap of 384 KB
takes some 270 KB on a board of 32 bits (tests/heap.py).
"""

BOARD = {
    "name": "host",
    "title": "This computer",
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
        "size": 1048576,
        "regions": (("files", 0, 1048576),),
        "block": 4096,
        "erase_ms": 0,
        "program": 32,
        "small": 128,
        "segment": 4096,
    },
    "heap": 393216,
    "watchdog_ms": 60000,
}
