"""What must not be seen: a passphrase from a person or CI, and files for their owner alone."""

import os
import sys
from pathlib import Path

from host_tools.language import say
from host_tools.problems import INPUT, USAGE, Problem

VARIABLE = "ECLOR_PASSPHRASE"
LEAST = 12  # characters


def passphrase(*, confirm: bool = False, what: str = "Passphrase") -> str:
    """Return the passphrase: of the environment, else asked for without showing it."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    if not sys.stdin.isatty():
        raise Problem(
            "a passphrase is needed, and nobody is there to type it",
            f"set {VARIABLE}",
            code=USAGE,
        )
    import typer

    return str(typer.prompt(say(what), hide_input=True, confirmation_prompt=confirm, err=True))


def check_new(passphrase: str) -> None:
    """Raise a Problem when a passphrase is too short to lock something new with."""
    if len(passphrase) < LEAST:
        raise Problem(
            f"a passphrase has at least {LEAST} characters", "take several words", code=INPUT
        )


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file that nobody but its owner can read. A Problem when it is there already."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Problem(
            f"{path} is there already", "it is never overwritten: give another place", code=INPUT
        ) from None
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "give another place", code=INPUT) from None
    with open(number, "wb") as file:
        file.write(data)
