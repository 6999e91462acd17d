"""Values of variables as NEL writes them into `.secrets.env`, made so that the shell that reads them takes them as they are.

NEL 0.2.6 writes `export NAME="value"` and escapes nothing: a key with a dollar sign reaches the container as another key, and a
value such as `lit:$(id)`, or one from a `.env` file, runs on the machine that starts the containers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

_READ_BY_SHELL = re.compile(r'[\\"$`]')


def use() -> None:
    """Make NEL's executors for containers and clusters write them so. Only in the child that talks to NEL."""
    from nemo_evaluator_launcher.executors.local import executor as local
    from nemo_evaluator_launcher.executors.slurm import executor as slurm

    for module in (local, slurm):
        module.generate_secrets_env = _escaped(module.generate_secrets_env)


def in_quotes(value: str) -> str:
    """A value between the double quotes of a POSIX shell, which gives it back as it is."""
    return _READ_BY_SHELL.sub(lambda found: f"\\{found[0]}", value)


def _escaped(generate: Callable[..., Any]) -> Callable[..., Any]:
    from nemo_evaluator_launcher.common.env_vars import resolve_env_var

    def generated(env_groups: Mapping[str, Mapping[str, Any]]) -> Any:
        result = generate(env_groups)
        lines = []
        for group, rows in result.group_remappings.items():
            for row in rows:
                value = resolve_env_var(row.original_name, env_groups[group][row.original_name])[1]
                lines.append(f'export {row.disambiguated_name}="{in_quotes(str(value))}"\n')
        return replace(result, secrets_content="".join(lines))

    return generated
