"""A few bytes that stand for very many: refused, or read within bounds of time and memory, wherever they come in."""

from __future__ import annotations

import ast
import json
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import quantgate
from quantgate.errors import BadInput
from quantgate.evalconfig import assignments
from quantgate.nemotron import overrides

from ..evalconfig import made
from ..runs.building import TASK
from . import bundle
from .targets import target
from .targets.config import CHECKED, EDITED, NEMOTRON
from .test_targets import called
from .watching import TOUCHED, bounded

LEVELS = range(1, 12)
ALIASES = "\n".join(["a0: &a0 [1, 1]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in LEVELS)])
MERGES = "\n".join(["a0: &a0 {x: 1}", *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in LEVELS)])
WIDE_MERGE = "b: &b {" + ", ".join(f"k{i}: 1" for i in range(400)) + "}\nm: {<<: [" + ", ".join(["*b"] * 450) + "]}"
YAML = {
    "aliases of aliases": ALIASES,
    "merges of merges": MERGES,
    "a wide merge": WIDE_MERGE,
    "a long text often": f'a: &a "{"x" * 100_000}"\nb: [{", ".join(["*a"] * 100)}]',
    "within itself": "p: &p {extra: *p}",
    "deep brackets": "d: " + "[" * 400 + "]" * 400,
    "deep braces": "d: " + "{a: " * 400 + "1" + "}" * 400,
    "deep lines": "\n".join(" " * i + "a:" for i in range(400)),
    "open brackets": "d: " + "[" * 1200,
    "a number of 5,000 digits": "n: " + "9" * 5000,
    "a number in base 60": "n: " + ":".join(["59"] * 3000),
    "a number in base 16": "n: 0x" + "f" * 20_000,
    "a large exponent": "n: 1e999999999",
    "no date": "n: 2001-99-99",
    "a far date": "n: 9999-12-31t23:59:59.999999999999999999+99:99",
    "a tag of Python's": f"n: !!python/object/apply:os.system ['touch {TOUCHED}']",
    "a module of Python's": "n: !!python/module:this",
    "an unknown tag": "n: !x y",
    "no base 64": "n: !!binary '???'",
    "no set": "n: !!set [1]",
    "no omap": "n: !!omap {a: 1}",
    "a key twice": "k: 1\nk: 2",
    "a key that is a list": "? [a, b]\n: 1",
    "a long key": f"{'k' * 100_000}: 1",
    "a version": "%YAML 9.9\n---\na: 1",
    "many documents": "---\na: 1\n" * 500,
    "many anchors": "\n".join(f"k{i}: &k{i} 1" for i in range(600)),
    "interpolation of interpolation": "\n".join(
        ["i0: x", *(f"i{i}: ${{i{i - 1}}}${{i{i - 1}}}" for i in range(1, 30))]
    ),
    "deep interpolation": "i: " + "${" * 300 + "a" + "}" * 300,
    "a null": "n: \0",
    "a lone surrogate": 'n: "\\ud800"',
}
JSON = {
    "deep lists": "[" * 100_000,
    "deep closed lists": "[" * 5000 + "]" * 5000,
    "deep objects": '{"a":' * 100_000,
    "a number of 5,000 digits": "9" * 5000,
    "a large exponent": "1e999999",
    "no number": "NaN",
    "infinity": "-Infinity",
    "a lone surrogate": '"\\ud800"',
    "a null": '"\\u0000"',
    "many values": "[" + "1," * 100_000 + "1]",
    "a long text": '"' + "x" * 500_000 + '"',
    "a key twice": '{"a": 1, "a": 2}',
    "the largest whole number": str(2**63),
    "a negative one": str(-(2**63) - 1),
}
YAML_PLACES = [
    ("config", CHECKED, made.PROCESS),
    ("config", EDITED, made.PROCESS),
    ("config", NEMOTRON, "run: {env: {}}\n"),
    ("settings", "clusters.yaml", "clusters: {}\n"),
    ("results", "results.yml", "results: {}\n"),
    ("checkpoint", "iter_0000010/run_config.yaml", "model: {}\n"),
    ("checkpoint", "README.md", "---\nlicense: x\n"),
]
JSON_PLACES = [
    ("checkpoint", "config.json", "max_position_embeddings"),
    ("checkpoint", "config.json", "quantization_config"),
    ("checkpoint", "hf_quant_config.json", "quantization"),
    ("checkpoint", "tokenizer_config.json", "chat_template"),
    ("checkpoint", "generation_config.json", "temperature"),
    ("checkpoint", "model.safetensors.index.json", "weight_map"),
    ("results", "eval_results_loose.jsonl", "follow_all_instructions"),
    ("results", "eval_factory_metrics.json", "response_stats"),
    ("records", "exec.v1.jsonl", "data"),
    ("records", "run/runner.json", "pid"),
    ("records", "run/quantgate_run.json", "sample_limit"),
    ("records", "notes/note.json", "config"),
    ("settings", "settings.jsonc", "mcpServers"),
    ("settings", "installed.json", "files"),
    ("scheduler", "scan.json", "classes"),
    ("scheduler", "pages.json", "pages"),
    ("scheduler", "hub.json", "siblings"),
]


def _seed(name: str, file: str) -> dict[str, bytes]:
    """An honest input of a target that has this file, or the first of all."""
    seeds = [bundle.unpacked(data) for data in target(name).seeds().values()]
    return next((files for files in seeds if file in files), seeds[0])


@pytest.mark.parametrize(("name", "file", "base"), YAML_PLACES)
def test_yaml_that_explodes_is_refused_or_read_in_bounds(name: str, file: str, base: str) -> None:
    for kind, bomb in YAML.items():
        text = f"{base}{bomb}\n" + ("---\n# Model\n" if file == "README.md" else "")
        files = {file: text.encode("utf-8", "surrogatepass")}
        if name in {"results", "checkpoint"}:
            files = _seed(name, file) | files
        try:
            called(name, bundle.packed(files))
        except Exception as error:
            raise AssertionError(f"{kind} in {file}") from error


@pytest.mark.parametrize(("name", "file", "key"), JSON_PLACES)
def test_json_that_explodes_is_refused_or_read_in_bounds(name: str, file: str, key: str) -> None:
    files = _seed(name, file)
    for kind, bomb in JSON.items():
        try:
            called(name, bundle.packed(files | {file: _with(files.get(file, b"{}"), key, bomb).encode()}))
        except Exception as error:
            raise AssertionError(f"{kind} in {key} of {file}") from error


def _with(honest: bytes, key: str, bomb: str) -> str:
    """The first line of the honest file, with a key that has the bomb for its value."""
    try:
        row = json.loads(honest.decode().split("\n")[0] if honest[:1] == b"{" and b"\n{" in honest else honest.decode())
    except ValueError:
        row = {}
    kept = json.dumps({k: v for k, v in row.items() if k != key} if isinstance(row, dict) else {})
    return kept[:-1] + (", " if len(kept) > 2 else "") + f'"{key}": {bomb}}}'


@pytest.mark.parametrize("parse", [assignments.parse, overrides.parse])
@pytest.mark.parametrize("marks", ["[]", "{}"])
def test_a_value_of_one_line_that_explodes_is_refused(parse: Callable[[str], object], marks: str) -> None:
    """Read with its merges written out, the second would keep a call of edit_config for hours."""
    inner = "{i}: &a{i} {{<<: [{old}]}}" if marks == "{}" else "&a{i} [{old}]"
    levels = [inner.format(i=i, old=", ".join([f"*a{i - 1}"] * 10)) for i in LEVELS]
    first = "0: &a0 {x: 1}" if marks == "{}" else "&a0 [1]"
    with pytest.raises(BadInput, match="aliases"), bounded(1, 50):
        parse(f"evaluation.x={marks[0]}{', '.join([first, *levels])}{marks[1]}")


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32, 2**62, 2**63, 2**64 - 1])
def test_lengths_that_a_header_only_claims_take_no_memory(length: int) -> None:
    files = _seed("checkpoint", "model.safetensors")
    called("checkpoint", bundle.packed(files | {"model.safetensors": struct.pack("<Q", length) + b'{"a": 1}'}))
    for counts in ((length, 1), (1, length), (length, length)):
        head = b"GGUF" + struct.pack("<IQQ", 3, *counts)
        array = struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 4, length)
        nested = struct.pack("<Q", 1) + b"k" + struct.pack("<I", 9) + struct.pack("<IQ", 9, length) * 200
        text = struct.pack("<Q", length)
        for body in (b"", array, nested, text):
            called("checkpoint", bundle.packed({"x.gguf": head + body}))


def test_no_archive_is_opened_and_nothing_compressed_is_inflated_in_the_server() -> None:
    """Artifacts of tracking servers and bundles come as files: a zip bomb has no place to go off."""
    archives = {"zipfile", "tarfile", "gzip", "bz2", "lzma", "zlib", "zstandard", "pickle", "shelve", "marshal"}
    found = []
    for file in sorted(Path(quantgate.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            calls = isinstance(node, ast.Attribute) and node.attr in {"unpack_archive", "full_load", "unsafe_load"}
            if calls or archives & {name.split(".")[0] for name in names}:
                found.append(f"{file.name}:{node.lineno}")
    assert found == []


def test_a_log_that_grows_while_it_is_read_is_read_to_where_it_was(tmp_path: Path) -> None:
    from quantgate.tools.grep_slurm_logs import grep_slurm_logs
    from quantgate.tools.logs import logs

    from ..runs.building import empty_task

    log = empty_task(tmp_path).logs / "client_stdout.log"
    log.write_text("CUDA out of memory\n")
    stop = threading.Event()

    def grow() -> None:
        with log.open("a") as file:
            while not stop.is_set():
                file.write("step\n" * 2000)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        run = str(log.parents[2])
        shown = logs(run, lines=500).entries[0]
        scanned = grep_slurm_logs(run)
    finally:
        stop.set()
        writer.join()
    assert len(shown.text) <= 20 * 1024
    assert scanned.bytes_scanned <= log.stat().st_size
    assert [c.name for c in scanned.classes] == ["cuda_oom"]
    assert TASK in shown.task
