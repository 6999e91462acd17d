"""One target under atheris: `python -m tests.fuzz.engine TARGET SECONDS FOLDER SEED [--blind]`.

With `--blind` its inputs are damaged at random, without atheris and so without its cost: on a slow machine that finds more.

The corpus and what was found go into FOLDER; `record.json` in it says how often the target was called and what it covered.
A finding does not end the campaign: the input is kept, and the next one is tried. What was found once is told by its place in
the code, so that the same fault counts once.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

MOST_KINDS = 200


def main() -> None:
    """Run it."""
    name, seconds, folder = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]).resolve()
    seed = sys.argv[4]
    base = Path(tempfile.mkdtemp(prefix=f"quantgate-fuzz-{name}-"))
    _environment(base)
    if "--blind" in sys.argv:
        _blind(name, seconds, folder, base, int(seed))
        return
    import atheris

    with atheris.instrument_imports(include=["quantgate"]):
        from .targets import target

        found = target(name)
        found.prepare()
    from . import mutation

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed_name, data in found.seeds().items():
        (corpus / f"seed-{seed_name}").write_bytes(data[: mutation.MOST])
    for kept in sorted((Path(__file__).parent / "corpus" / name).glob("*")):
        shutil.copyfile(kept, corpus / f"kept-{kept.name}")
    run = _Run(found, base, folder, time.monotonic() + seconds)

    def mutate(data: bytes, most: int, dice: int) -> bytes:
        rolled = random.Random(dice)
        if rolled.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        for _ in range(rolled.choice((1, 1, 2, 4))):
            data = mutation.mutated(data, rolled)
        return data[:most]

    arguments = [
        sys.argv[0],
        str(corpus),
        f"-max_total_time={int(seconds)}",
        f"-seed={seed}",
        f"-max_len={mutation.MOST}",
    ]
    arguments += [
        "-timeout=120",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
        "-len_control=0",
    ]
    atheris.Setup(arguments, run.once, custom_mutator=mutate)
    atheris.Fuzz()


def _blind(name: str, seconds: float, folder: Path, base: Path, seed: int) -> None:
    from . import mutation
    from .targets import target

    found, dice = target(name), random.Random(seed)
    found.prepare()
    inputs, end = list(found.seeds().values()), time.monotonic() + seconds
    run = _Run(found, base, folder, end)
    while time.monotonic() < end:
        data = dice.choice(inputs)
        for _ in range(dice.choice((1, 1, 1, 2, 3, 5))):
            data = mutation.mutated(data, dice)
        run.once(data)
        # Some of what was damaged is damaged further later on.
        inputs += [data] if dice.random() < 0.02 else []


def _environment(base: Path) -> None:
    from .watching import CANARY

    home = base / "home"
    home.mkdir()
    cache = os.environ.get("QUANTGATE_TEST_CACHE", str(Path.home() / ".cache" / "quantgate-tests"))
    given = {
        "HOME": home,
        "QUANTGATE_HOME": home / "state",
        "QUANTGATE_CACHE": cache,
        "HF_TOKEN": CANARY,
        "HF_HUB_OFFLINE": "1",
    }
    given["NEMO_EVALUATOR_EXEC_DB_FILE"] = home / "exec.jsonl"
    os.environ.update({key: str(value) for key, value in given.items()})
    sys.dont_write_bytecode = True


class _Run:
    """Calls the target with input after input, and writes down what is found."""

    def __init__(self, target: object, base: Path, folder: Path, end: float) -> None:
        self._target, self._base, self._folder, self._end = target, base, folder, end
        self._kinds: dict[str, int] = {}
        self._count, self._began, self._written = 0, time.monotonic(), 0.0

    def once(self, data: bytes) -> None:
        """One input."""
        self._count += 1
        room = Path(tempfile.mkdtemp(dir=self._base))
        (self._folder / "last").write_bytes(data)
        try:
            self._target(data, room)  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001 - whatever comes is the finding
            self._keep(data, error)
        finally:
            os.chdir(self._base)
            shutil.rmtree(room, ignore_errors=True)
        if time.monotonic() - self._written > 10 or time.monotonic() > self._end - 2:
            self._write()

    def _keep(self, data: bytes, error: Exception) -> None:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "/quantgate/" in f.filename]
        place = f"{frames[-1].filename.rpartition('/quantgate/')[2]}:{frames[-1].lineno}" if frames else ""
        message = str(error).partition(":")[0] if not place else ""
        kind = f"{type(error).__name__} {place} {message}".strip()[:200]
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        if self._kinds[kind] == 1 and len(self._kinds) <= MOST_KINDS:
            name = f"finding-{len(self._kinds):03d}"
            (self._folder / name).write_bytes(data)
            (self._folder / f"{name}.txt").write_text(kind + "\n" + "".join(traceback.format_exception(error))[-6000:])

    def _write(self) -> None:
        self._written = time.monotonic()
        took = time.monotonic() - self._began
        record = {"executions": self._count, "seconds": round(took, 1), "findings": self._kinds}
        (self._folder / "record.json").write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
