"""Series as blocks and back, and their size beside other ways of writing them (`eclor codec`).

series.py  a CSV, integers, a file of blocks;  stats.py  bytes by rows;  rivals.py  the others
fast.py    decoding compiled by numba (extra `fast`): a collector of many gateways uses it
"""
