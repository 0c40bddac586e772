"""One file per verb of `eclor`: each holds NAME and a function `command` that Typer reads.

The file stays thin: it parses words, calls a library of host_tools/ and prints. Heavy imports go
inside the function, so that `eclor --help` starts at once. A new file here is a new verb.
"""
