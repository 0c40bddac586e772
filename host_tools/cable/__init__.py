"""A board at the end of a cable: found, spoken to, given its firmware, made a gateway, saved.

ports.py      what is plugged in, by VID and PID
raw_port.py   the serial port;  prompt.py  MicroPython's raw prompt on it: files, maintenance
console.py    what the board says, as it says it
deploy.py     firmware onto boards, only what differs (`eclor deploy`)
provision.py  a board made a gateway, its secrets kept nowhere (`eclor provision`)
archive.py    its files and back, secrets locked, a journal never (`eclor backup`, `restore`)
"""
