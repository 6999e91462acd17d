"""Stands for ifbench in most runs of the campaign: it replays what the real one made of the same answers.

ifbench 26.3 takes ten seconds of processor time for five questions, which is most of a run. This program asks the endpoint the same
questions with the same limits and retries, and then leaves the files that the real one left in the campaign's first run for the
same number of questions: the endpoint's answers depend on the question alone, and it is checked that they are the same. Told to
stop, it leaves nemo-evaluator's marker. Answers of an earlier attempt are not asked for again.

`harness.py TEMPLATES run_eval --run_config FILE` in the place of `nemo-evaluator`; the templates are run directories.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

RUN = re.compile(r"\d{8}_\d{6}-[0-9a-f]{16}")
ANSWERS = "replayed_answers.json"
MARKER = ".nemo_evaluator_interrupted"
TASK = "ifbench.ifbench.0"
PAUSE_SECONDS = 0.5
START_SECONDS, SCORING_SECONDS = 3.0, 1.5
"""About what ifbench takes before its first question and after its last answer on a quiet machine; nothing is computed here."""
_MOST_TEXT = 1 << 20


class Settings:
    """What the config says, by the names of its keys."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.output = Path(self.value("output_dir"))
        self.samples, self.retries = int(self.value("limit_samples")), int(self.value("max_retries"))
        self.parallelism = int(self.value("parallelism"))
        self.url, self.key = self.value("url"), os.environ[self.value("api_key_name")]

    def value(self, name: str) -> str:
        """The first value of a key."""
        found = re.search(rf"^ *{name}: (\S+)$", self._text, re.MULTILINE)
        assert found, name
        return found[1]


def template(place: Path, samples: int) -> Path:
    """The recorded task directory with as many questions.

    Raises:
        SystemExit: There is none.
    """
    for file in place.glob(f"**/{TASK}/artifacts/output.jsonl"):
        if len(file.read_text("utf-8").splitlines()) == samples:
            return file.parents[1]
    raise SystemExit(f"no recorded run has {samples} questions")


def ask(settings: Settings, question: str) -> str:
    """The answer to a question.

    Raises:
        OSError: The endpoint did not answer, however often it was asked.
    """
    body = json.dumps({"model": "small", "messages": [{"role": "user", "content": question}]}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {settings.key}"}
    for left in range(settings.retries, -1, -1):
        try:
            with urllib.request.urlopen(urllib.request.Request(settings.url, body, headers), timeout=60) as answer:
                return str(json.load(answer)["choices"][0]["message"]["content"])
        except (OSError, ValueError) as error:
            print(f"request failed, {left} retries left: {error}", flush=True)
            if not left:
                raise
            time.sleep(PAUSE_SECONDS)
    raise OSError("never")


def lay_out(made: Path, target: Path) -> None:
    """Leave the recorded artifacts, with this run's directory in the place of theirs."""
    old, new = RUN.search(str(made)), RUN.search(str(target))
    assert old
    # In a container its name is /results.
    place_of_run = new[0] if new else old[0]
    for file in sorted((made / "artifacts").rglob("*")):
        place = target / file.relative_to(made / "artifacts")
        if not file.is_file() or (place.exists() and file.name == "launcher_unresolved_config.yaml"):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".db" or file.stat().st_size > _MOST_TEXT:
            shutil.copy(file, place)
        else:
            place.write_text(file.read_text("utf-8").replace(old[0], place_of_run), "utf-8")


def main(templates: Path, config: Path) -> int:
    """Evaluate."""
    settings = Settings(config.read_text("utf-8"))

    def interrupted(signum: int, frame: object) -> None:
        (settings.output / MARKER).write_text("", "utf-8")
        os._exit(0)

    signal.signal(signal.SIGTERM, interrupted)
    settings.output.mkdir(parents=True, exist_ok=True)
    made = template(templates, settings.samples)
    rows = [json.loads(line) for line in (made / "artifacts" / "output.jsonl").read_text("utf-8").splitlines()]
    known = settings.output / ANSWERS
    answers: dict[str, str] = json.loads(known.read_text("utf-8")) if known.exists() else {}

    def answer(row: dict[str, str]) -> None:
        question = row["prompt"]
        if question not in answers:
            answers[question] = ask(settings, question)
            partly = known.with_suffix(".part")
            partly.write_text(json.dumps(dict(answers)), "utf-8")
            partly.replace(known)
        assert answers[question].strip() == row["response"].strip(), (
            "the endpoint gave another answer than it was recorded"
        )

    time.sleep(START_SECONDS)
    with ThreadPoolExecutor(settings.parallelism) as pool:
        for done in [pool.submit(answer, row) for row in rows]:
            done.result()
    time.sleep(SCORING_SECONDS)
    lay_out(made, settings.output)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[sys.argv.index("--run_config") + 1])))
