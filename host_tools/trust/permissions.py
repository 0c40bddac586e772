"""What each gateway may say and hear on a broker: its own topics, and nothing else.

The broker knows a gateway by the common name of its certificate, which is the gateway's name; the
topics are the device's own (agent/topics.py). Not certificates (`eclor ca`), and no passwords: the
collectors' is in the broker's environment, as ECLOR_NATS_PASSWORD.

    Path("gateways.conf").write_text(nats_users(["gw-ecole"]))   # nats.conf includes it
    Path("acl").write_text(mosquitto_acl())     # with the settings of its head

Whoever connects with another's client name ends that one's connection: MQTT 3.1.1, 3.1.4. On
mosquitto `use_username_as_clientid` prevents it. nats-server has nothing like it; it takes a
certificate of the same authority, cuts off as long as it goes on, and no reading is lost by it.

Sources: docs.nats.io, "MQTT configuration" (topics a/b/c are subjects a.b.c; verify_and_map finds
the user by the certificate's subject, RFC 2253); mosquitto.conf(5), acl_file.
"""

import re
from collections.abc import Iterable

from agent.topics import Topics
from host_tools.problems import INPUT, Problem

SAYS = ("rec", "birth", "state", "will", "result", "senml")
HEARS = ("ack", "cmd")
COLLECTOR = "collector"
# No gateway has a name in capitals.
VISITOR = "VISITOR"  # who tests or watches a gateway: eclor accept, monitor
OFFICE = "OFFICE"  # who orders, and gives firmware: eclor rollout, locate, ca rotate, ca renew
SHOWS = ("birth", "state", "rec", "will")
ORDERS = ("cmd",)
ANSWERS = ("result", "state", "birth")
# A client is who its certificate says, and has no other name.
MOSQUITTO_SETTINGS = (
    "require_certificate",
    "use_identity_as_username",
    "use_username_as_clientid",
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_USER = """\
  {{ user: "CN={name}", allowed_connection_types: ["MQTT"], permissions: {{
      publish: {{ {says} }}
      subscribe: {{ allow: [{hears}] }} }} }}
"""


def nats_users(gateways: Iterable[str]) -> str:
    """Return the users of one account for nats-server: the collectors and each gateway.

    Whoever has no certificate of these names is no user and cannot connect by MQTT. A Problem
    for a name that cannot be a gateway's, so that no name writes configuration of its own.
    """
    lines = [
        f'  {{ user: "{COLLECTOR}", password: $ECLOR_NATS_PASSWORD,'
        ' allowed_connection_types: ["STANDARD"] }\n'
    ]
    for name in sorted(set(gateways)):
        if not _NAME.fullmatch(name):
            remedy = "use lower-case letters, digits, - and _; at most 64"
            raise Problem(f"{name!r} cannot be a gateway's name", remedy, code=INPUT)
        topics = Topics(name)
        lines.append(
            _USER.format(
                name=name,
                says=f"allow: [{_subjects(topics, SAYS)}]",
                hears=_subjects(topics, HEARS),
            )
        )
    shown = _subjects(Topics("*"), SHOWS)
    # To nats-server an empty list of what is allowed allows everything.
    lines.append(_USER.format(name=VISITOR, says='deny: [">"]', hears=shown))
    orders = f"allow: [{_subjects(Topics('*'), ORDERS)}]"
    answers = _subjects(Topics("*"), ANSWERS)
    lines.append(_USER.format(name=OFFICE, says=orders, hears=answers))
    return "users: [\n" + "".join(lines) + "]\n"


def mosquitto_acl() -> str:
    """Return an acl_file for mosquitto: one for all gateways, whatever their number."""
    topics = Topics("%u")
    lines = [f"# {setting} true" for setting in MOSQUITTO_SETTINGS]
    lines += [f"pattern write {getattr(topics, leaf).decode()}" for leaf in SAYS]
    lines += [f"pattern read {getattr(topics, leaf).decode()}" for leaf in HEARS]
    lines += ["", f"user {COLLECTOR}", "topic readwrite eclor/1/#"]
    lines += ["", f"user {VISITOR}"]
    lines += [f"topic read {getattr(Topics('+'), leaf).decode()}" for leaf in SHOWS]
    lines += ["", f"user {OFFICE}"]
    lines += [f"topic write {getattr(Topics('+'), leaf).decode()}" for leaf in ORDERS]
    lines += [f"topic read {getattr(Topics('+'), leaf).decode()}" for leaf in ANSWERS]
    return "\n".join(lines) + "\n"


def _subjects(topics: Topics, leaves: Iterable[str]) -> str:
    return ", ".join(f'"{getattr(topics, leaf).decode().replace("/", ".")}"' for leaf in leaves)
