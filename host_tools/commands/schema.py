"""`eclor schema`: the JSON Schema of a site file, for editors that complete and check."""

import json

import typer

NAME = "schema"


def command(
    sample: bool = typer.Option(
        False, help="Print a site file instead in which every field is explained."
    ),
) -> None:
    """Print the JSON Schema of a site file.

    In an editor with a YAML language server, save it and begin the site file with
    `# yaml-language-server: $schema=./site.schema.json`.
    """
    from host_tools.planning import site_words

    if sample:
        print(site_words.sample(), end="")
    else:
        print(json.dumps(site_words.schema(), ensure_ascii=False, indent=1))
