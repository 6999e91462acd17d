"""The tokenizer of a directory as far as its files tell: which text becomes which token numbers.

`tokenizer.json` (Hugging Face tokenizers) holds vocabulary, merges and added tokens; else `tokenizer.model` (SentencePiece) or
`vocab.json` with `merges.txt`. Two tokenizers are compared in the form that both have; where they share none, nothing is said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .config_json import read_bytes

MAX_BYTES = 128 << 20
_JSON = "tokenizer.json"
_PLAIN = ("tokenizer.model", "vocab.json", "merges.txt", "tiktoken.model")
_PARTS = ("normalizer", "pre_tokenizer")


@dataclass(frozen=True)
class TokenizerFiles:
    """What a tokenizer is known by.

    Attributes:
        directory: Where its files lie.
        digests: By part, a hash: "vocabulary", "merges", "added tokens", "normalizer", "pre_tokenizer" of tokenizer.json; else
            the names of the files.
        size: Number of tokens, with the added ones; 0 where tokenizer.json is not there.
    """

    directory: Path
    digests: Mapping[str, str] = field(default_factory=dict)
    size: int = 0


def read(directory: Path) -> TokenizerFiles | None:
    """The tokenizer of a directory; None when it has none that can be read.

    A Megatron iteration has it in its folder `tokenizer`.
    """
    for place in (directory, directory / "tokenizer"):
        found = _from_json(place) or _from_plain(place)
        if found is not None:
            return found
    return None


def differences(one: TokenizerFiles, other: TokenizerFiles) -> tuple[str, ...] | None:
    """The parts in which two tokenizers differ; None when they share no part that could be compared."""
    shared = sorted(one.digests.keys() & other.digests.keys())
    if not shared:
        return None
    return tuple(name for name in shared if one.digests[name] != other.digests[name])


def _from_json(place: Path) -> TokenizerFiles | None:
    raw = _bytes(place / _JSON)
    if raw is None:
        return None
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    model = data.get("model") if isinstance(data, dict) else None
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(vocabulary, dict | list) or not vocabulary:
        return None
    added = data.get("added_tokens")
    tokens = [[t.get("id"), t.get("content")] for t in added if isinstance(t, dict)] if isinstance(added, list) else []
    known = (
        {str(t) for t in vocabulary}
        if isinstance(vocabulary, dict)
        else {str(t[0]) for t in vocabulary if t and isinstance(t, list)}
    )
    digests = {"vocabulary": _digest(vocabulary), "added tokens": _digest(sorted(tokens, key=str))}
    if isinstance(merges := model.get("merges"), list):
        # Older files write a merge as one text, newer ones as a pair.
        digests["merges"] = _digest([" ".join(map(str, m)) if isinstance(m, list) else m for m in merges])
    digests |= {part: _digest(data.get(part)) for part in _PARTS}
    size = len(vocabulary) + sum(str(content) not in known for _, content in tokens)
    return TokenizerFiles(place, digests, size)


def _from_plain(place: Path) -> TokenizerFiles | None:
    found = {name: raw for name in _PLAIN if (raw := _bytes(place / name)) is not None}
    return (
        TokenizerFiles(place, {name: hashlib.sha256(raw).hexdigest() for name, raw in found.items()}) if found else None
    )


def _bytes(path: Path) -> bytes | None:
    try:
        return read_bytes(path, MAX_BYTES)
    except CheckpointError:
        return None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
