"""The `eclor` command: one verb per job, each a file of host_tools/commands/."""

import importlib
import json
import pkgutil
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from host_tools import commands, language, problems


def _root(
    lang: Annotated[
        str, typer.Option("--lang", help="Language: en or fr; by default this computer's.")
    ] = "",
) -> None:
    """Speak the language that _choose_language has found in the words already."""


def _choose_language(words: list[str]) -> None:
    """Find --lang among the words before anything is said, help included."""
    chosen = language.preferred()
    for i, word in enumerate(words):
        if word == "--lang" and i + 1 < len(words):
            chosen = words[i + 1]
        elif word.startswith("--lang="):
            chosen = word.partition("=")[2]
    try:
        language.use(chosen)
    except KeyError:
        raise problems.Problem(
            f"there is no language {chosen}",
            f"there are {', '.join(language.languages())}",
            code=problems.USAGE,
        ) from None


def eclor() -> Any:
    """Return the command with its verbs, in the order and under the heads of commands.VERBS."""
    app = typer.Typer(
        name="eclor",
        help="Flash, provision, read, test and collect from Éclor gateways.",
        epilog="Exit codes: 0 done, 1 the answer is no, 2 usage, 3 bad input, 4 device, "
        "5 network, 6 something missing on this computer, 130 interrupted.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    heads = {verb: head for head, verbs in commands.VERBS.items() for verb in verbs}
    for module in pkgutil.iter_modules(commands.__path__):
        verb = importlib.import_module(f"host_tools.commands.{module.name}")
        head = language.say(heads[verb.NAME])
        if hasattr(verb, "app"):
            app.add_typer(verb.app, name=verb.NAME, rich_help_panel=head)
        else:
            app.command(verb.NAME, rich_help_panel=head)(verb.command)
    command: Any = typer.main.get_command(app)
    command.commands = {verb: command.commands[verb] for verb in heads}
    return command


def _translate_help(command: Any) -> None:
    """Put every help text of a command and of those below it into the language in use."""
    for name in ("help", "short_help", "epilog"):
        text = getattr(command, name, None)
        if text:
            paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
            setattr(command, name, "\n\n".join(language.translated(part) for part in paragraphs))
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = language.translated(parameter.help)
    for inner in getattr(command, "commands", {}).values():
        _translate_help(inner)


def _translate_frame() -> None:
    """Put the words that typer says itself into the language in use."""
    from typer import core, rich_utils

    for module in (core, rich_utils):
        vars(module)["_"] = language.say
    for name in ("ARGUMENTS_PANEL_TITLE", "OPTIONS_PANEL_TITLE", "COMMANDS_PANEL_TITLE"):
        setattr(rich_utils, name, language.say(getattr(rich_utils, name)))
    rich_utils.ERRORS_PANEL_TITLE = language.say(rich_utils.ERRORS_PANEL_TITLE)
    usage = next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "UsageError")
    for cls in (usage, *usage.__subclasses__()):
        _wrap(cls, "format_message", language.translated)
    _wrap(core.TyperCommand, "get_help_option", _translated_option)
    _wrap(core.TyperGroup, "get_help_option", _translated_option)


def _wrap(cls: Any, name: str, translate: Any) -> None:
    """Let a method of a class translate what it returns."""
    original = getattr(cls, name)
    setattr(cls, name, lambda self, *words: translate(original(self, *words)))


def _translated_option(option: Any) -> Any:
    if option is not None:
        option.help = language.translated(option.help)
    return option


def _end(problem: problems.Problem) -> NoReturn:
    _tell(problem)
    raise SystemExit(problem.code) from None


def _tell(problem: problems.Problem) -> None:
    if "--json" in sys.argv:
        print(json.dumps(problem.as_dict(), ensure_ascii=False))
        return
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    where = f"{problem.where}: " if problem.where else ""
    console.print(f"[bold red]eclor:[/] {escape(where + language.translated(problem.what))}")
    if problem.remedy:
        console.print(f"  -> {language.translated(problem.remedy)}", markup=False)


def main() -> None:
    """Run the command line; turn a Problem into a message and its exit code."""
    try:
        _choose_language(sys.argv[1:])
        command = eclor()
        if language.current() != "en":
            _translate_help(command)
            _translate_frame()
        command(prog_name="eclor")
    except problems.Problem as problem:
        _end(problem)
    except OSError as error:
        if error.filename is None:
            raise
        remedy = "look at the path: its folder, what it permits, the room that is left"
        what = f"{error.filename}: {error.strerror}"
        _end(problems.Problem(what, remedy, code=problems.INPUT))
    except KeyboardInterrupt:
        print(f"eclor: {language.say('interrupted')}", file=sys.stderr)
        raise SystemExit(problems.INTERRUPTED) from None


if __name__ == "__main__":
    main()
