"""The outputs that a rules file asks for.

for output in configured(engine, rules): output.run()
"""

import os
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from host_tools.collect.outputs import Output, Reading
from host_tools.collect.outputs.influx import Influx
from host_tools.collect.outputs.ngsi import NGSI
from host_tools.collect.outputs.senml import Republisher
from host_tools.collect.rules import OutputRule, Rules
from host_tools.problems import INPUT, Problem


def configured(engine: sa.Engine, rules: Rules) -> list[Output]:
    """Return one Output per line of `outputs`; a Problem when a token is not there."""
    return [
        Output(engine, rule.name, _sender(rule, rules), personal=rule.personal)
        for rule in rules.outputs
    ]


def _sender(rule: OutputRule, rules: Rules) -> Callable[[Sequence[Reading]], None]:
    token = os.environ.get(rule.token_env, "") if rule.token_env else ""
    if rule.token_env and not token:
        raise Problem(
            f"output {rule.name}: {rule.token_env} is not set",
            "set it, or mend token_env",
            code=INPUT,
        )
    if rule.kind == "influx":
        return Influx(rule.url, token).send
    if rule.kind == "ngsi":
        return NGSI(rule.url, rules.place_of, token, rule.tenant).send
    return Republisher(rule.url).send
