"""One broken config, and the ways to break one."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from quantgate import shipped
from quantgate.evalconfig import paths
from quantgate.launcher import templates

ENVIRONMENT = {
    "HF_TOKEN": "hf-not-a-real-one",
    "NVIDIA_API_KEY": "not-a-real-key",
    "USER_API_KEY": "not-a-real-key",
    "JUDGE_API_KEY": "not-a-real-key",
    "NGC_API_KEY": "not-a-real-key",
    "MLFLOW_TRACKING_URI": "http://mlflow.internal:5000",
    "USER": "someone",
}
"""Variables that the valid configs need."""


@dataclass(frozen=True)
class Case:
    """A config that is broken in one place.

    Attributes:
        rule: The rule that must find it.
        what: The fault, in a few words.
        text: The file; bytes when it is no text.
    """

    rule: str
    what: str
    text: str | bytes

    @property
    def name(self) -> str:
        """For test reports."""
        return f"{self.rule}-{self.what}"


@cache
def example(name: str) -> str:
    """The text of a shipped example."""
    return (shipped.recipes_dir() / "examples" / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def template(execution: str, deployment: str, model_type: str, bundle: str, export: str = "none") -> str:
    """A base config of NEL with every gap filled."""
    text = templates.dumps(templates.build(execution, deployment, model_type, [bundle], export))
    filled = {
        "hostname": "login.cluster",
        "account": "team",
        "output_dir": "/shared/results",
        "tokenizer": "org/model",
        "params_to_add": "{chat_template_kwargs: {enable_thinking: true}}",
        "tracking_uri": "http://mlflow.internal:5000",
        "entity": "team",
        "image": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.6",
        "checkpoint_path": "/shared/models/m",
    }
    for key, value in filled.items():
        text = text.replace(f"{key}: ???", f"{key}: {value}")
    return text.replace("???", "some-model")


def put(base: str, at: str, value: Any) -> str:
    """The config with a value set."""
    config = yaml.safe_load(base)
    *way, last = paths.parse(at)
    node = config
    for segment, following in zip(way, [*way, last][1:], strict=True):
        missing: Any = [] if isinstance(following, int) else {}
        node = node[segment] if isinstance(segment, int) else node.setdefault(segment, missing)
    if isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        assert not isinstance(node, dict) or last not in node or repr(node[last]) != repr(value), at
        node[last] = value
    return yaml.safe_dump(config, sort_keys=False)


def drop(base: str, at: str) -> str:
    """The config without a key."""
    config = yaml.safe_load(base)
    *way, last = paths.parse(at)
    node = config
    for segment in way:
        node = node[segment]
    del node[last]
    return yaml.safe_dump(config, sort_keys=False)


def rename(base: str, at: str, key: str) -> str:
    """The config with a key called otherwise."""
    config = yaml.safe_load(base)
    *way, last = paths.parse(at)
    node = config
    for segment in way:
        node = node[segment]
    node[key] = node.pop(last)
    return yaml.safe_dump(config, sort_keys=False)


def swap(base: str, old: str, new: str) -> str:
    """The config with a piece of its text replaced."""
    assert old in base, old
    return base.replace(old, new, 1)
