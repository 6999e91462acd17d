"""Whatever stands in a YAML or on the command line, the answer is a config or a refusal in one line."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantgate.errors import QuantgateError
from quantgate.nemotron import compiling, migration, overrides

SCALARS = st.sampled_from(
    [
        None,
        True,
        0,
        3,
        1.5,
        "",
        "???",
        "slurm",
        "local",
        "${run.env.host}",
        "${run}",
        "${art:model,path}",
        "${oc.env:NO_SUCH}",
        "A_NAME",
        "/x/",
    ]
)
KEYS = st.sampled_from(
    ["type", "env_vars", "evaluation", "deployment", "export", "wandb", "entity", "mounts", "proxy", "image", "auto_export",
     "destinations", "enabled", "tasks", "name", "endpoints", "multiple_instances", "account", "api_endpoint", "url", "artifacts",
     "env", "host", "nemo_evaluator_config", "config", "params", "extra", "tokenizer", "limit_samples", "output_dir", "num_nodes"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
MAPPINGS = st.dictionaries(KEYS, VALUES, max_size=5)
SECTIONS = dict.fromkeys(("run", "execution", "deployment", "evaluation", "target", "export"), MAPPINGS)
OTHERS = dict.fromkeys(
    ("defaults", "output_dir", "task_filters", "env_vars", "auxiliary_deployments", "dry_run", "tasks"), VALUES
)
CONFIGS = st.one_of(
    st.fixed_dictionaries({}, optional=SECTIONS),
    st.fixed_dictionaries({}, optional=SECTIONS | OTHERS),
    st.dictionaries(st.sampled_from([*SECTIONS, *OTHERS]), VALUES),
)


class Store:
    """Stands in for a store of artifacts."""

    def resolve(self, reference: str, field: str) -> str:
        return "/artifacts/iter_1"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(config=CONFIGS, words=st.lists(st.text(max_size=20), max_size=2))
def test_it_is_compiled_or_refused(config: dict[str, Any], words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(QuantgateError):
        path = Path(folder) / "given.yaml"
        path.write_text(yaml.safe_dump(config))
        request = compiling.Request(config=str(path), overrides=tuple(words), start=Path(folder))
        compiled = compiling.compile_request(request, {"HOME": folder}, Store())
        assert not {"run", "dry_run", "output_dir", "task_filters"} & set(compiled.launcher_config)
        again = migration.migrate(compiled.launcher_config, {"HOME": folder})
        assert again.config == compiled.launcher_config


@given(text=st.text(max_size=60))
def test_an_override_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(QuantgateError):
        overrides.apply({"a": {"b": [1, {"c": 2}]}}, [text, f"a.{text}", f"a.b={text}", f"a.b=[{text}]"])
