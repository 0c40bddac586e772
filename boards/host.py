"""This computer as a board: MicroPython's unix port, pseudo-terminals, a file as flash.

Source: measured with MicroPython 1.29-preview. Objects are 64-bit, so the heap of 384 KB holds
about what 192 KB hold on a Pico W.
"""

BOARD = {
    "name": "host",
    "port": "unix",
    "uarts": ("uart1", "uart2", "uart3"),
    "pins": ("in1", "in2", "in3", "in4"),
    "flash": {"root": "/flash", "block": 4096, "blocks": 256, "small": 128},
    "heap": 393216,
}
