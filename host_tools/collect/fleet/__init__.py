"""A fleet to try a collector on: gateways by the thousand, a broker cluster, collectors.

Not the collector. `gateways.py` drives the gateways' own uplink over real MQTT connections,
`cluster.py` runs three nats-server nodes on loopback, `trial.py` puts both and the collectors
together and counts.
"""
