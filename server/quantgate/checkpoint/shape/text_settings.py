"""The part of a config.json that describes the language model, with the defaults of its configuration class.

A multimodal config nests it (`text_config` and the like), and many published configs leave out what equals the class's
default: the text part of Gemma 3 4B records neither its heads nor its context.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..config_json import text_field, whole_field

NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
_TABLE = Path(__file__).resolve().parent / "config_defaults.yaml"
MAX_SIZE = 2**31
"""Heads, widths, lengths and counts above this are taken as not recorded."""
MAX_LAYERS = 4096


class ConfigDefaults(BaseModel):
    """config_defaults.yaml: field values by model_type."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    fields: dict[str, dict[str, int | bool]]


@cache
def config_defaults() -> ConfigDefaults:
    """The table of class defaults."""
    import yaml

    return ConfigDefaults.model_validate(yaml.safe_load(_TABLE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class TextSettings:
    """The language model's fields.

    Attributes:
        recorded: What the config says; a null there stays a null, as Transformers keeps it.
        defaults: What the class of this model_type says where the config is silent.
        place: The nested key it was found at, such as `text_config`; empty for the top level.
        model_type: Of the language model.
    """

    recorded: Mapping[str, Any]
    defaults: Mapping[str, int | bool]
    place: str = ""
    model_type: str = ""

    def get(self, key: str) -> Any:
        """A field as recorded, else as its class has it, else None."""
        return self.recorded[key] if key in self.recorded else self.defaults.get(key)

    def whole(self, *keys: str, limit: int = MAX_SIZE) -> int:
        """The first of these fields with a positive whole number up to `limit`, else 0; what is recorded goes first."""
        for source in (self.recorded, {k: v for k, v in self.defaults.items() if k not in self.recorded}):
            for key in keys:
                if 0 < (value := whole_field(source, key)) <= limit:
                    return value
        return 0

    def whole_list(self, key: str) -> list[int]:
        """A field with a list of whole numbers from 0 to 2^31, one a layer, else the empty list."""
        value = self.recorded.get(key)
        if not isinstance(value, list) or not 0 < len(value) <= MAX_LAYERS:
            return []
        if all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= MAX_SIZE for n in value):
            return list(value)
        return []

    def words(self, key: str) -> list[str]:
        """A field with a list of strings, one a layer, else the empty list."""
        value = self.recorded.get(key)
        if not isinstance(value, list) or not 0 < len(value) <= MAX_LAYERS:
            return []
        return [word[:100] for word in value] if all(isinstance(word, str) for word in value) else []

    def table(self, key: str) -> Mapping[str, Any]:
        """A field with an object, else an empty one."""
        value = self.recorded.get(key)
        return value if isinstance(value, dict) else {}

    def on(self, key: str) -> bool:
        """Whether a field is true."""
        return self.get(key) is True

    @property
    def file(self) -> str:
        """Where the fields stand, for a reason: `config.json` or `config.json: text_config`."""
        return f"config.json: {self.place}" if self.place else "config.json"


def text_settings(config: Mapping[str, Any]) -> TextSettings:
    """Find the language model's fields in a config.json (at most three levels down)."""
    text: Mapping[str, Any] = config
    places = []
    for _ in range(3):
        key = next((k for k in NESTED if isinstance(text.get(k), dict) and text[k]), None)
        if key is None:
            break
        text = text[key]
        places.append(key)
    model_type = (text_field(text, "model_type") or (text_field(config, "model_type") if not places else ""))[:100]
    return TextSettings(text, config_defaults().fields.get(model_type, {}), ".".join(places), model_type)


def number(value: object) -> float:
    """A positive finite number, else 0 (a bool, a string, NaN and infinities are none)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    # An int may be too large for a float.
    return float(value) if 0 < value < MAX_SIZE and math.isfinite(value) else 0.0
