"""What several worlds are made of: a checkpoint, an endpoint that runs, a machine without a container engine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from ..harness import environment

CHECKPOINTS = Path(__file__).parents[2] / "data" / "checkpoints"
READY_SECONDS = 30.0
_ENGINES = frozenset({"docker", "podman", "enroot", "apptainer", "singularity", "nerdctl"})
_TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}<|assistant|>"


def checkpoint(place: Path, source: str, card: str = "", *, template: str = _TEMPLATE, **config: Any) -> Path:
    """A real exported checkpoint of tests/data, with the tokenizer that an export has.

    Args:
        place: Where to put it.
        source: Its name in tests/data/checkpoints.
        card: The text of README.md; none by default.
        template: The chat template.
        config: Changes of config.json.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(CHECKPOINTS / source, place)
    size = int(json.loads((place / "config.json").read_text("utf-8"))["vocab_size"])
    (place / "tokenizer.json").write_text(json.dumps(_tokenizer(size)), "utf-8")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": template, "model_max_length": 131072}
    (place / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    if config:
        told = json.loads((place / "config.json").read_text("utf-8"))
        (place / "config.json").write_text(json.dumps({**told, **config}, indent=1), "utf-8")
    if card:
        (place / "README.md").write_text(card, "utf-8")
    return place


def _tokenizer(size: int) -> dict[str, Any]:
    """A word-level tokenizer with as many words as the model's embedding has rows."""
    vocabulary = {"<unk>": 0} | {f"word{n}": n for n in range(1, size)}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
    return {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": model}


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def endpoint(directory: Path, model: str, name: str = "endpoint", **settings: Any) -> tuple[str, int]:
    """Start the stand-in model server and wait until it answers.

    Returns:
        The URL of its completions, and its process id.
    """
    port = free_port()
    folder = directory / "world"
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"port": port, "model": model, **settings}), "utf-8")
    pid = background(directory, name, [sys.executable, "-m", "tests.agent.harness.endpoint", str(file)])
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2):
                return f"http://127.0.0.1:{port}/v1/chat/completions", pid
        except OSError:
            assert time.monotonic() < deadline, f"{name} does not answer"
            time.sleep(0.1)


def background(directory: Path, name: str, argv: list[str]) -> int:
    """Start a process that outlives this one; its output goes to world/NAME.log."""
    with (directory / "world" / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            argv,
            cwd=environment.ROOT,
            env={**os.environ, "QUANTGATE_TRIAL": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process.pid


def path_without_engine(directory: Path) -> str:
    """A PATH on which no container engine is: links to all other programs of this machine."""
    programs = directory / "world" / "programs"
    programs.mkdir()
    for folder in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"):
        for program in Path(folder).glob("*"):
            link = programs / program.name
            if program.name not in _ENGINES and not link.is_symlink():
                link.symlink_to(program)
    return str(programs)


def hub(directory: Path, files: Path) -> tuple[str, int]:
    """Start the stand-in for the Hub, which has these files under every handle; its address and its process id."""
    told = directory / "world" / "hub.url"
    pid = background(directory, "hub", [sys.executable, "-m", "tests.agent.harness.hub", str(files), str(told)])
    deadline = time.monotonic() + READY_SECONDS
    while not told.exists():
        assert time.monotonic() < deadline, "the stand-in for the Hub does not answer"
        time.sleep(0.1)
    return told.read_text("utf-8"), pid


def harnesses(directory: Path, *names: str) -> dict[str, str]:
    """Stand-ins in a cache of the world's own; the variable that names it."""
    cache = directory / "world" / "cache"
    for name in names:
        environment.install(name, cache)
    return {"QUANTGATE_CACHE": str(cache)}
