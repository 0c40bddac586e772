"""The MQTT topics of one gateway, as bytes: agent/README.md, "Topics"."""


class Topics:
    """Topics under eclor/1/<gateway>/, made once."""

    def __init__(self, gateway):
        base = ("eclor/1/%s/" % gateway).encode()
        self.rec = base + b"rec"
        self.birth = base + b"birth"
        self.state = base + b"state"
        self.will = base + b"will"
        self.result = base + b"result"
        self.ack = base + b"ack"
        self.cmd = base + b"cmd"
        self.senml = base + b"senml"


def is_topic(data, start, end, topic):
    """Tell whether data[start:end] is this topic, without allocating."""
    if end - start != len(topic):
        return False
    for i in range(len(topic)):
        if data[start + i] != topic[i]:
            return False
    return True
