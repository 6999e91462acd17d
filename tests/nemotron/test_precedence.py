"""Who wins, over everything that can say something of `run.env`: the YAML, profiles that extend each other, and overrides.

The model here is written from Nemotron's documented order, and knows nothing of how the code merges.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quantgate.nemotron import compiling, env_toml

PLAIN = ("account", "partition", "host", "time")
OWNED = ("container_image", "nodes", "gpus_per_node", "ntasks_per_node", "nproc_per_node")
words = st.sampled_from(["a", "b", "c", "d"])
mounts = st.lists(st.sampled_from(["/a:/a", "/b:/b", "/c:/c"]), max_size=2, unique=True)
layers = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(PLAIN, words),
        **{key: st.integers(1, 9) for key in OWNED},
        "env_vars": st.dictionaries(st.sampled_from(["ONE", "TWO", "THREE"]), words, max_size=2),
        "deep": st.dictionaries(words, st.dictionaries(words, words, max_size=2), max_size=2),
        "tags": st.lists(words, max_size=2),
        "mounts": mounts,
    },
)
dotlists = st.dictionaries(st.sampled_from([*PLAIN, *OWNED]), st.integers(10, 19), max_size=3)


def _over(below: Any, above: Any) -> Any:
    """A mapping over a mapping is both; anything else replaces what is below it, lists too."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {
            k: _over(below[k], above[k]) if k in below and k in above else {**below, **above}[k]
            for k in {**below, **above}
        }
    return above


def _expected(own: dict[str, Any], chain: list[dict[str, Any]], dotlist: dict[str, int]) -> dict[str, Any]:
    profile: dict[str, Any] = {}
    for table in reversed(chain):  # the last one is extended by all others
        profile = _over(profile, table)
    env = _over(own, profile)
    env |= {key: own[key] for key in OWNED if key in own}
    joined = list(dict.fromkeys([*own.get("mounts", []), *profile.get("mounts", [])]))
    if joined:
        env["mounts"] = joined
    return {**env, **dotlist}


def _toml(chain: list[dict[str, Any]]) -> str:
    """env.toml as a person writes it; JSON's texts, numbers and lists are TOML's too, mappings stand inline."""

    def value(of: Any) -> str:
        return (
            "{" + ", ".join(f"{k} = {value(v)}" for k, v in of.items()) + "}"
            if isinstance(of, dict)
            else json.dumps(of)
        )

    lines: list[str] = []
    for number, table in enumerate(chain):
        lines.append(f"[p{number}]")
        lines += [f'extends = "p{number + 1}"'] if number + 1 < len(chain) else []
        lines += [f"{key} = {value(of)}" for key, of in table.items()]
    return "\n".join(lines) + "\n"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(own=layers, chain=st.lists(layers, min_size=1, max_size=4), dotlist=dotlists)
@example(own={"nodes": 1, "account": "a"}, chain=[{"nodes": 2}, {"account": "b", "nodes": 3}], dotlist={"nodes": 10})
@example(own={"mounts": ["/a:/a"]}, chain=[{"mounts": ["/b:/b"]}, {"mounts": ["/c:/c"], "tags": ["x"]}], dotlist={})
def test_run_env_of_a_compiled_config_is_what_the_order_says(
    own: dict[str, Any], chain: list[dict[str, Any]], dotlist: dict[str, int]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "env.toml").write_text(_toml(chain))
        (folder / "pyproject.toml").touch()
        (folder / "eval.yaml").write_text(
            yaml.safe_dump({"run": {"env": own}, "execution": {"type": "local"}, "deployment": {"type": "none"}})
        )
        request = compiling.Request(
            config=str(folder / "eval.yaml"),
            profile="p0",
            overrides=tuple(f"run.env.{key}={value}" for key, value in dotlist.items()),
            start=folder,
        )
        compiled = compiling.compile_request(request, {"HOME": name})
    assert compiled.job_config["run"]["env"] == _expected(own, chain, dotlist)
    variables = {k: f"lit:{v}" for k, v in _expected(own, chain, dotlist).get("env_vars", {}).items()}
    assert compiled.launcher_config.get("env_vars", {}) == variables


def test_the_keys_that_the_yaml_owns_are_the_documented_ones() -> None:
    assert set(env_toml.YAML_OWNED) == set(OWNED)
