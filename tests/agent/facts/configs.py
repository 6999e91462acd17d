"""Facts about the config files that the calls were about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ..transcript import Transcript
from .found import Found, at_path, fits, matches, shown, written

END = "end"


@dataclass(frozen=True)
class _Seen:
    path: str
    text: str
    where: str

    def values(self, path: str) -> Iterator[Any]:
        try:
            yield from at_path(yaml.safe_load(self.text), path)
        except yaml.YAMLError:
            return


def _configs(transcript: Transcript, at: str, config: str) -> list[_Seen]:
    """The configs at the end, or those that the answered calls of a tool were about."""
    if at == END:
        ends = [_Seen(path, text, "at the end") for path, text in transcript.configs.items() if matches(config, path)]
        if config or not ends:
            return ends
        # Without a pattern: the config of the last call that was about one.
        last = next((c.config for c in reversed(transcript.calls) if c.config in transcript.configs), "")
        return [seen for seen in ends if seen.path == last]
    return [
        _Seen(c.config, c.config_text, f"at #{c.index} {c.tool}")
        for c in transcript.calls
        if c.ok and c.config_text and fits(c, at, {}) and matches(config, c.config)
    ]


def config_has(transcript: Transcript, path: str, value: str = "", at: str = END, config: str = "") -> Found:
    """Every such config has a matching value at this dotted path (`*` is any key or index)."""
    configs = _configs(transcript, at, config)
    for seen in configs:
        held = list(seen.values(path))
        if not any(matches(value, written(v)) for v in held):
            return Found(
                False, f"{seen.path} {seen.where}: {path} " + (f"is {shown(held[0])}" if held else "is not set")
            )
    if not configs:
        return Found(False, f"no config was seen ({at})")
    return Found(True, f"{configs[-1].path}: {path} = {shown(next(configs[-1].values(path)))}")


def config_lacks(transcript: Transcript, path: str, value: str = "", at: str = END, config: str = "") -> Found:
    """No such config has a matching value at this dotted path; there must be a config."""
    configs = _configs(transcript, at, config)
    for seen in configs:
        held = [v for v in seen.values(path) if v is not None and matches(value, written(v))]
        if held:
            return Found(False, f"{seen.path} {seen.where}: {path} is {shown(held[0])}")
    return Found(bool(configs), f"{len(configs)} configs without it" if configs else f"no config was seen ({at})")
