"""env.toml: where it is found, profiles, and who wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantgate.errors import ConfigError, UnknownName
from quantgate.nemotron import env_toml, overrides
from quantgate.nemotron.env_toml import EnvFile

KEYS = ("account", "partition", "nodes", "gpus_per_node", "container_image", "ntasks_per_node", "nproc_per_node")
values = st.dictionaries(st.sampled_from(KEYS), st.integers(1, 99))


@given(yaml=values, profile=values, dotlist=values)
def test_run_env_goes_yaml_then_profile_then_yaml_s_own_keys_then_overrides(
    yaml: dict[str, int], profile: dict[str, int], dotlist: dict[str, int]
) -> None:
    staged = env_toml.apply({"run": {"env": yaml}}, EnvFile(Path("env.toml"), {"cl": profile}), "cl")
    env = overrides.apply(staged.config, [f"run.env.{key}={value}" for key, value in dotlist.items()]).config["run"][
        "env"
    ]
    for key in KEYS:
        order = [dotlist, yaml, profile] if key in env_toml.YAML_OWNED else [dotlist, profile, yaml]
        assert env.get(key) == next((layer[key] for layer in order if key in layer), None)


@given(chain=st.lists(values, min_size=1, max_size=5))
def test_a_profile_wins_over_what_it_extends(chain: list[dict[str, int]]) -> None:
    tables: dict[str, Any] = {
        f"p{i}": {**table, **({"extends": f"p{i + 1}"} if i + 1 < len(chain) else {})} for i, table in enumerate(chain)
    }
    expected: dict[str, int] = {}
    for table in reversed(chain):
        expected.update(table)
    assert env_toml.profile(EnvFile(Path("env.toml"), tables), "p0") == expected


def test_variables_are_merged_and_mounts_are_joined() -> None:
    config = {"run": {"env": {"env_vars": {"A": "1", "B": "1"}, "mounts": ["/a:/a"]}}}
    profile = {"env_vars": {"B": "2", "C": "2"}, "mounts": ["/b:/b", "/a:/a"]}
    env = env_toml.apply(config, EnvFile(Path("env.toml"), {"cl": profile}), "cl").config["run"]["env"]
    assert env["env_vars"] == {"A": "1", "B": "2", "C": "2"}
    assert env["mounts"] == ["/a:/a", "/b:/b"]


def test_wandb_replaces_and_artifacts_is_a_base() -> None:
    config = {"run": {"wandb": {"entity": "mine", "group": "g"}, "artifacts": {"backend": "mlflow"}}}
    file = EnvFile(Path("env.toml"), {}, wandb={"project": "p"}, artifacts={"backend": "wandb", "root": "/x"})
    run = env_toml.apply(config, file).config["run"]
    assert run["wandb"] == {"project": "p"}
    assert run["artifacts"] == {"backend": "mlflow", "root": "/x"}
    assert config["run"]["wandb"] == {"entity": "mine", "group": "g"}


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="available: a, b"):
        env_toml.profile(EnvFile(Path("env.toml"), {"b": {}, "a": {}}), "c")


def test_an_unknown_parent_names_who_extends_it() -> None:
    with pytest.raises(UnknownName, match=r"extends of \[a\]"):
        env_toml.profile(EnvFile(Path("env.toml"), {"a": {"extends": "gone"}}), "a")


def test_a_circle_of_profiles_is_shown() -> None:
    tables = {"a": {"extends": "b"}, "b": {"extends": "a"}}
    with pytest.raises(ConfigError, match="a → b → a"):
        env_toml.profile(EnvFile(Path("env.toml"), tables), "a")


def test_a_profile_without_an_env_toml_says_how_to_make_one() -> None:
    with pytest.raises(UnknownName, match=r"make an env\.toml"):
        env_toml.apply({}, EnvFile(), "cl")


def test_what_is_no_toml_is_refused_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "env.toml"
    file.write_text("[wandb]\napi_key = hf_abcdefghijklmnopqrstuvwxyz\n")
    with pytest.raises(ConfigError, match=r"not TOML .*line 2") as refused:
        env_toml.read(file)
    assert "hf_abc" not in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"wandb = 3\n"])
def test_other_wrong_files_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "env.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError):
        env_toml.read(file)


def test_the_search_ends_at_the_project_s_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(env_toml.VARIABLE, raising=False)
    project, inner = tmp_path / "project", tmp_path / "project" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "env.toml").touch()
    (project / "pyproject.toml").touch()
    assert env_toml.find(inner) is None
    (project / "env.toml").touch()
    assert env_toml.find(inner) == project / "env.toml"
    monkeypatch.setenv(env_toml.VARIABLE, str(tmp_path / "env.toml"))
    assert env_toml.find(inner) == tmp_path / "env.toml"
    monkeypatch.setenv(env_toml.VARIABLE, str(tmp_path / "gone.toml"))
    with pytest.raises(ConfigError, match="names no file"):
        env_toml.find(inner)


def test_it_is_said_when_the_yaml_s_own_value_stays() -> None:
    config = {"run": {"env": {"nodes": 1, "gpus_per_node": 8}}}
    file = EnvFile(Path("env.toml"), {"cl": {"nodes": 4, "gpus_per_node": 8, "account": "a"}})
    said = [change.what for change in env_toml.apply(config, file, "cl").changes]
    assert said == ["run.env: the profile 'cl' is merged", "run.env.nodes: the YAML's stays, not the profile's"]
