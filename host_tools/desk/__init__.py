"""A laptop as the master of a line: read one meter, write to one, find unknown ones.

    wires.py    a serial port, or a socket, under one small interface
    master.py   the gateway's own bus and drivers, on such a wire
    reader.py   one meter by the name of its map;  writer.py  registers and coils
    scan.py     baud x parity x address, the likeliest first;  mbus_scan.py  the meters of an M-Bus
    identify.py which map fits a meter that answered

The bytes are moved by agent/bus.py, as on a gateway: what is read here is read there.
"""
