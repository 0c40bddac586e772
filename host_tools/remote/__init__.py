"""Gateways that are on line, through their broker.

broker_at.py    its address, and the papers that it is shown where it wants TLS
listener.py     what gateways say, as one listens;  monitor.py  in words (`eclor monitor`, `logs`)
serve_bundle.py a bundle offered, and the bytes that are asked for
rollout.py      a bundle to a fleet in waves, stopped when one does not prove itself
rotate.py       a running gateway's key or certificate replaced (`eclor ca rotate`, `renew`)
"""
