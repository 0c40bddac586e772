"""One file per verb of `eclor`: each holds NAME and a function `command` that Typer reads.

The file stays thin: it parses words, calls a library of host_tools/ and prints. Heavy imports go
inside the function, so that `eclor --help` starts at once. A new file here is a new verb; VERBS
says under which head `eclor --help` shows it, in the order of the work.
"""

VERBS: dict[str, tuple[str, ...]] = {
    "At the meter": ("doctor", "devices", "scan", "read", "write", "capture", "parse", "maps"),
    "In the office, once": ("ca", "images", "keys", "bundle", "site", "check", "boards", "schema"),
    "A new gateway": ("flash", "deploy", "provision", "accept", "label", "ui"),
    "A gateway in service": (
        "monitor",
        "locate",
        "logs",
        "console",
        "config",
        "maintenance",
        "reset",
        "backup",
        "restore",
        "rollout",
        "exchange",
    ),
    "The readings": ("collect", "pages", "export"),
    "To try and to prove": ("demo", "mock", "fleet", "codec", "compliance"),
}
