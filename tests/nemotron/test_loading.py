"""A config by name or path, and the files of its defaults list."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.errors import ConfigError, UnknownName
from quantgate.nemotron import loading


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_name_is_looked_up_in_the_recipe_and_a_path_is_a_path(tmp_path: Path) -> None:
    _write(tmp_path, tiny="a: 1", contract="id: x")
    assert loading.config_path("tiny", tmp_path) == tmp_path / "tiny.yaml"
    assert loading.config_path(f"{tmp_path}/tiny.yaml", Path("/none")) == tmp_path / "tiny.yaml"
    with pytest.raises(ConfigError, match="Config file not found"):
        loading.config_path(f"{tmp_path}/gone.yaml", tmp_path)
    with pytest.raises(UnknownName, match="one of: tiny;"):
        loading.config_path("tyni", tmp_path)


def test_files_of_the_defaults_list_are_merged_in_hydra_s_order(tmp_path: Path) -> None:
    _write(
        tmp_path,
        base="a: 1\nb: 1\nlist: [1, 2]",
        execution__ours="x: 1\ntype: slurm",
        top="defaults: [base, execution: ours, deployment: generic, _self_]\na: 2\nlist: [3]",
    )
    staged = loading.load(tmp_path / "top.yaml")
    assert staged.config == {
        "a": 2,
        "b": 1,
        "list": [3],
        "execution": {"x": 1, "type": "slurm"},
        "defaults": [{"deployment": "generic"}, "_self_"],
    }
    assert len(staged.changes) == 2


def test_what_comes_after_self_wins_over_the_file(tmp_path: Path) -> None:
    _write(tmp_path, late="a: late", top="defaults: [_self_, late]\na: own")
    assert loading.load(tmp_path / "top.yaml").config["a"] == "late"


@pytest.mark.parametrize(
    ("text", "says"),
    [("defaults: [top]", "in a circle"), ("defaults: 3", "must be a list"), ("defaults: [gone]", "no file beside"),
     ("- a", "mapping|list"), ("a: [", "."), ("defaults: [{a: b, c: d}]", "no entry")],
)  # fmt: skip
def test_a_broken_config_is_refused_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    _write(tmp_path, top=text)
    with pytest.raises(ConfigError, match=says) as refused:
        loading.load(tmp_path / "top.yaml")
    assert "top.yaml" in str(refused.value)


def test_yes_and_no_without_quotes_are_booleans_as_for_omegaconf(tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    text = """
base: &base {on: on, list: [off, 'off', "no", !!str yes], y: y, yEs: yEs}
own: {<<: *base, extra: No, on: 'on'}
same: *base
block: |
  yes
"""
    _write(tmp_path, top=text)
    staged = loading.load(tmp_path / "top.yaml")
    assert staged.config["base"] == {"on": True, "list": [False, "off", "no", "yes"], "y": "y", "yEs": "yEs"}
    assert staged.config["own"] == {**staged.config["base"], "extra": False, "on": "on"}
    assert staged.config["same"] == staged.config["base"]
    assert staged.config["block"] == "yes\n"
    assert "base.list[0]: off is read as false" in [change.what for change in staged.changes]
    theirs = OmegaConf.to_container(OmegaConf.create(text))
    assert isinstance(theirs, dict)
    assert theirs["base"]["list"] == staged.config["base"]["list"]
    assert theirs["own"]["extra"] is False
