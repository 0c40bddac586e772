"""Child processes that never outlive this one, even after SIGKILL: supervisor.py, guard.py.

broker.py  one of them: nats-server with MQTT and JetStream on free loopback ports
"""
