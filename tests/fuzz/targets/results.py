"""A finished run's artifacts: results.yml, the files of every harness's samples, and what the adapter left."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ...results.readers.folders import RECORDED
from ...runs.building import NAME, REAL, TASK
from .. import bundle
from ..watching import foreseen
from .target import Target

MOST_BYTES = 3000
"""Of one file in a seed: the rest of a harness's file repeats what its beginning shows."""


def _call(data: bytes, room: Path) -> None:
    from quantgate.results.samples import READERS, read_samples
    from quantgate.runs.rundir import RunDir
    from quantgate.tools.compare_runs import compare_runs
    from quantgate.tools.verify_run import verify_run

    run = room / NAME
    artifacts = run / TASK / "artifacts"
    artifacts.mkdir(parents=True)
    logs = run / TASK / "logs"
    logs.mkdir()
    for name in ("stage.exit", "stage.running", "stage.pre-start"):
        (logs / name).write_bytes((REAL / TASK / "logs" / name).read_bytes())
    files = bundle.laid_out(data, artifacts)
    harness = next((name for name in READERS if f"harness-{name}" in files), "ifbench")
    task = RunDir.find(run).tasks[0]
    foreseen(lambda: read_samples(task, harness, ""))
    foreseen(lambda: verify_run(str(run)))
    if "compare" in files:
        foreseen(lambda: compare_runs(str(run), str(REAL)))


def _seeds() -> dict[str, bytes]:
    found = {"ifbench": _packed(REAL / TASK / "artifacts", "ifbench")}
    found["compared"] = found["ifbench"] + bundle.packed({"compare": b""})
    for harness in sorted(RECORDED.iterdir()):
        for folder in sorted({p.parent for p in harness.rglob("results.yml")}) or [harness]:
            name = folder.relative_to(RECORDED).as_posix().replace("/", "-")
            found[name] = _packed(folder, harness.name)
    made = {
        "harness-nemo_skills": b"",
        "gpqa/output.jsonl": b'{"predicted_answer": "A", "expected_answer": "A", "is_correct": true}\n' * 2,
    }
    made["gpqa/metrics.json"] = b'{"gpqa": {"pass@1": {"num_entries": 2, "symbolic_correct": 100.0}}}'
    found["nemo_skills"] = bundle.packed(made)
    return found


def _packed(folder: Path, harness: str) -> bytes:
    files = {f"harness-{harness}": b""}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.suffix not in {".db", ".md"} and len(files) < bundle.MOST_FILES:
            files[name] = _beginning(path)
    return bundle.packed(files)


def _beginning(path: Path) -> bytes:
    content = path.read_bytes()
    if len(content) <= MOST_BYTES or path.suffix in {".yml", ".yaml", ".json"}:
        return content[: 6 * MOST_BYTES]
    return content[:MOST_BYTES].rpartition(b"\n")[0] + b"\n"


def _prepare() -> None:
    for data in list(_seeds().values())[:2]:
        with tempfile.TemporaryDirectory() as folder:
            _call(data, Path(folder))


TARGET = Target("results", _call, _seeds, seconds=6, may_start=frozenset({"sh"}), prepare=_prepare)
