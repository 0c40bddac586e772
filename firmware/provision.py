"""What a technician's computer says to a gateway by cable: who are you, take this, forget all.

Called through mpremote while nothing runs; each call prints one line of JSON and returns None:

    import boot; boot.mount()                       # the modules of the firmware, not its start
    from firmware import provision
    provision.identity()
    provision.request("gw-ecole", "<hex>")          # DER of a request for a certificate, base64
    provision.take('{"config": {..}, "secrets": {..}}')
    provision.settings()  provision.problems('{..}')  provision.forget()

The private key of the gateway's certificate is made here and never leaves. Other secrets are made
here too (`make`), or streamed in; they are told once, in the answer, when `tell` names them, and
never by any other call. Nothing that fails is stored in part: agent/settings.py.
"""

import json
import os
import sys
from binascii import a2b_base64, b2a_base64
from errno import ENOENT
from hashlib import sha256

from agent.certificates import is_der
from agent.settings import Settings, merge, split
from agent.slots import NO_TRIAL, Slots
from agent.store import Files
from firmware.hal import chip_id, entropy

API = 1
KEY_FILE = "certs/own.key"  # DER; paths in a configuration begin at the root of the file system
MADE = ("uplink.key", "privacy.key")  # secrets of 32 bytes that may be made here
_RELEASE_KEYS = "keys"
_PARTS = {"ca": "ca", "cert": "own"}


def identity(root=""):
    """Say who this board is, what it runs, and what it has: names of secrets, never one."""
    settings = Settings(root)
    settings.look()
    data, config, secrets = settings.stored(settings.state[0])
    answer: dict = {
        "api": API,
        "id": "".join(["%02x" % b for b in chip_id()]),
        "runtime": "%s %s" % (sys.implementation.name, _version()),
        "provisioned": bool(config),
        "gateway": config.get("gateway", ""),
        "board": config.get("board", ""),
        "config": fingerprint(data) if data else "",
        "secrets": sorted(secrets),
        "trial": settings.state[1] != NO_TRIAL,
        "note": settings.state[5],
        "slots": [],
        "key": "",
    }
    slots = Slots(root, "", [])
    for slot in ("a", "b"):
        if slots.counter(slot):
            head = slots.read(slot, 0, 192)
            answer["slots"].append(
                {
                    "slot": slot,
                    "counter": slots.counter(slot),
                    "version": _text(head[88:112]),
                    "boards": _text(head[112:192]).split(","),
                }
            )
    try:
        answer["key"] = fingerprint(_own_key(root)[1])
    except OSError:
        pass  # none was made yet
    except ValueError as error:
        answer["note"] = "%s: %s" % (KEY_FILE, error)
    _say(answer)


def request(name, salt="", root=""):
    """Say a request (PKCS#10, DER in base64) for a certificate of that name.

    The key is made at the first call, from this chip's entropy and the salt (hexadecimal, of the
    computer's entropy): knowing one of them is not enough.
    """
    from agent import p256

    made = False
    try:
        key, point = _own_key(root)
    except (OSError, ValueError):  # a damaged one opens nothing any more
        seed = entropy(64) + bytes.fromhex(salt)
        key = p256.make(sha256(b"1" + seed).digest() + sha256(b"2" + seed).digest())
        point = p256.public(key)
        _write(root, KEY_FILE, p256.private_der(key, point))
        made = True
    data = p256.request(name, key, point)
    _say({"ok": True, "made": made, "key": fingerprint(point), "request": _base64(data)})


def problems(text, root=""):
    """Say what this firmware finds wrong with a configuration; nothing is kept.

    The secrets that the board has already go with it.
    """
    kept = Settings(root)
    kept.look()
    found = _problems(json.loads(text), kept.stored(kept.state[0])[2])
    _say({"ok": not found, "problems": found})


def take(text, root=""):
    """Take a configuration with all that belongs to it, or nothing; say what became of it.

    text: JSON of an object with
      config        the configuration, no secret in it
      secrets       {path: value}; those that are absent stay as they are, "" takes one away
      make          paths of MADE to make here, if there is none yet
      tell          paths of `make` whose value the answer shall hold, if it was made now
      certificates  {"ca": base64 of DER, "cert": ..}: kept by their content, named in `uplink`
      release_keys  one or two moduli of 384 bytes, hexadecimal, the older first
      trial         true (default): it must prove itself; the first one has nothing to return to
    """
    try:
        answer = _take(json.loads(text), root)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        # A traceback would show the text, and secrets are in it.
        answer = {"ok": False, "problems": ["not understood: %s" % type(error).__name__]}
    except OSError as error:
        answer = {"ok": False, "problems": ["cannot be kept: %s" % error]}
    _say(answer)


def _take(order, root):
    settings = Settings(root)
    settings.look()
    secrets = settings.stored(settings.state[0])[2]
    config, given = order["config"], order.get("secrets", {})
    made = {}
    found = ["%s: is a secret: it goes with the secrets" % path for path in split(config)[1]]
    secrets.update(given)
    for path in order.get("make", []):
        if path not in MADE:
            found.append("make: %s is not one of %s" % (path, ", ".join(MADE)))
        elif not secrets.get(path):
            made[path] = "".join(["%02x" % b for b in sha256(entropy(64)).digest()])
    secrets.update(made)
    files = _certificates(order.get("certificates", {}), config, found, root)
    keys = bytes.fromhex(order.get("release_keys", ""))
    if len(keys) not in (0, 384, 768):
        found.append("release_keys: %d bytes, 384 or 768 wanted" % len(keys))
    bare = split(config)[0]  # as it will be stored
    if not found:
        found = _problems(config, secrets)
        used = split(merge(config, secrets))[1]
        found += ["secrets: there is no place for %s" % path for path in given if path not in used]
        secrets = {path: value for path, value in used.items() if value}
    if found:
        return {"ok": False, "problems": found}
    for name, data in files:
        _write(root, name, data)
    if keys:
        ground = Files(root + "/state")
        ground.open()
        ground.begin(_RELEASE_KEYS, len(keys))
        ground.put(keys, 0, len(keys))
        ground.commit()
    kept = settings.store(bare, secrets, order.get("trial", True))
    told = {path: made[path] for path in order.get("tell", []) if path in made}
    return {
        "ok": True,
        "problems": [],
        "config": fingerprint(settings.stored(kept)[0]),
        "trial": settings.state[1] != NO_TRIAL,
        "made": sorted(made),
        "told": told,
    }


def _problems(config, secrets):
    """Return the problems; config has the secrets afterwards."""
    from agent.config import validate

    return validate(merge(config, secrets))[1]


def _certificates(given, config, found, root):
    """Return [(name, data)] to be written; the configuration's uplink is told the names."""
    files = []
    for part, text in given.items():
        data = a2b_base64(text)
        if part not in _PARTS or not is_der(data):
            found.append("certificates.%s: is no certificate in DER" % part)
            continue
        name = "certs/%s-%s.der" % (_PARTS[part], fingerprint(data))
        files.append((name, data))
        config.setdefault("uplink", {})[part] = name
        if part == "cert":
            config["uplink"]["cert_key"] = KEY_FILE
            try:
                if _own_key(root)[1] not in data:
                    found.append("certificates.cert: is for another key than this board's")
            except (OSError, ValueError):
                found.append("certificates.cert: this board has made no key yet")
    return files


def settings(root=""):
    """Say the configuration in force as it is stored, and the names of its secrets."""
    found = Settings(root)
    found.look()
    data, config, secrets = found.stored(found.state[0])
    _say({"ok": bool(data), "config": config, "secrets": sorted(secrets)})


def forget(journal=False, root=""):
    """Forget configuration, secrets, certificates and keys; with journal the readings too.

    What littlefs freed keeps its old bytes until it is overwritten (agent/scrub.py).
    """
    store = Settings(root)
    for which in ("a", "b"):
        store.remove(which)
    store.delete(store.FILE)
    for folder in ("certs", "state") + (("journal",) if journal else ()):
        _empty(root + "/" + folder)
    ground = Files(root + "/.")
    while ground.scrub():
        pass
    _say({"ok": True})


def _empty(folder):
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        _empty(folder + "/" + name)  # a folder in it, as the journal has; a file is none
        try:
            os.remove(folder + "/" + name)
        except OSError as error:
            if error.errno != ENOENT:
                raise
    os.rmdir(folder)


def _own_key(root):
    """Return (private key, public half). Raises OSError when none was made, ValueError: damaged.

    A power cut while it was made leaves an empty file: littlefs makes a name before a content.
    """
    from agent.p256 import key_of

    with open(root + "/" + KEY_FILE, "rb") as file:
        data = file.read()
    if not data:
        raise OSError(ENOENT)
    return key_of(data)


def _write(root, name, data):
    try:
        os.mkdir(root + "/certs")
    except OSError:
        pass  # it is there
    with open(root + "/" + name, "wb") as file:
        file.write(data)


def fingerprint(data):
    """Return 16 hexadecimal digits of the SHA-256."""
    return "".join(["%02x" % b for b in sha256(data).digest()[:8]])


def _base64(data):
    return str(b2a_base64(data), "ascii").rstrip()


def _text(field):
    return str(field.rstrip(b"\x00"), "utf-8")


def _version():
    return ".".join([str(v) for v in sys.implementation.version[:3]])


def _say(answer):
    print(json.dumps(answer))
