"""A run through quantgate's process executor against `nemo-evaluator run_eval` with the same config on the same endpoint.

The harness is the real nvidia-ifbench. The endpoint is a stand-in on loopback that answers after a fixed time: as fast for the one
as for the other, and the machine is free for what is measured. Our side is the call of `run` up to the answer of `status` that
says succeeded; the gates before it were passed once, outside the measurement. The other side is NEL's own command that the canary
executed, with another output directory and as many samples. Both sides of a pair begin at the same moment, and the pairs
`STAGGER_SECONDS` apart: a run costs much of the processor only at its start.

What quantgate adds should be a fixed time per run (NEL plans it, the runner starts, the end is noticed) and nothing per sample: the
harness is the same process with the same config. Runs of `PARALLELISM` samples tell the fixed part by itself.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from tests.integration.stand_in import ChatHandler, chat_server

from quantgate.launcher import adapter_port, harness_env, harnesses

from .measured import Effort, Result, Row, compared, seconds
from .tool_server import ToolServer

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "recipes" / "examples" / "ifbench_process.yaml"
LIMIT = 1.03
ANSWER_SECONDS = 3.4
STAGGER_SECONDS = 20
SAMPLES = 248
PARALLELISM = 4
LIVE = {"pending", "running"}


class _Answers(ChatHandler):
    """Another text for every prompt, after `ANSWER_SECONDS`."""

    def asked(self, body: bytes) -> None:
        time.sleep(ANSWER_SECONDS)
        self.complete(" ".join(["A short answer:", *hashlib.sha256(body).hexdigest()[:24]]))


def followed(server: ToolServer, invocation: str) -> dict[str, Any]:
    """The run at its end."""
    while (run := server.call("status", invocation_ids=[invocation], wait_seconds=45)["runs"][0])["state"] in LIVE:
        pass
    if run["state"] != "succeeded":
        raise SystemExit(f"the run ended as {run['state']}: {json.dumps(run)[:600]}")
    return dict(run)


class Both:
    """A config whose gates are passed, and the two ways to run it."""

    def __init__(self, server: ToolServer, folder: Path, url: str) -> None:
        self.folder = folder
        self.config = folder / "eval.yaml"
        shutil.copyfile(EXAMPLE, self.config)
        changes = {
            "target.api_endpoint.url": url,
            "target.api_endpoint.model_id": "small",
            "execution.output_dir": folder / "results",
            "evaluation.nemo_evaluator_config.config.params.parallelism": PARALLELISM,
        }
        server.call("edit_config", config=str(self.config), set=[f"{key}={value}" for key, value in changes.items()])
        server.call("dry_run", config=str(self.config))
        canary = server.call("canary", config=str(self.config), samples=5)["invocation_id"]
        run = followed(server, canary)
        if not run["gate"]["passed"]:
            raise SystemExit(f"the canary did not pass: {run['gate']['reasons']}")
        (script,) = Path(run["run_dir"]).glob("*/command.sh")
        (encoded,) = re.findall(r'echo "(\S+)" \| base64 -d > config_ef.yaml', script.read_text("utf-8"))
        self.plain: dict[str, Any] = yaml.safe_load(base64.b64decode(encoded))
        wheel = harnesses.require_wheel("ifbench")
        place = harness_env.ensure(wheel, io.StringIO())
        self.program = str(place / "bin" / "nemo-evaluator")
        self.environment = {
            **harness_env.base_environment(),
            **harness_env.variables(wheel, place),
            "DUMMY_API_KEY": "dummy",
        }

    def through_quantgate(self, samples: int) -> float:
        """Seconds of a run of so many samples by tools; a server of its own follows it, as several users have several."""
        with ToolServer(cwd=self.folder) as server:
            server.begin()
            server.call("status")
            started = time.perf_counter()
            launched = server.call("run", config=str(self.config), max_samples=samples)
            followed(server, launched["invocation_id"])
            return time.perf_counter() - started

    def bare(self, samples: int) -> float:
        """Seconds of the same command of NEL's, by itself."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        config = json.loads(json.dumps(self.plain))
        config["config"]["output_dir"] = str(place / "artifacts")
        config["config"]["params"]["limit_samples"] = samples
        (place / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
        # As in our runs: beside each other, evaluations would share the first one's adapter (nemo-evaluator 0.2.8).
        env = self.environment | adapter_port.variables()
        argv = [self.program, "run_eval", "--run_config", "config.yaml"]
        with (place / "out.log").open("wb") as log:
            return seconds(
                lambda: subprocess.run(
                    # A session of its own as our runs have: the kernel shares the processor out by session.
                    argv,
                    cwd=place,
                    env=env,
                    stdout=log,
                    stderr=log,
                    check=True,
                    start_new_session=True,
                )
            )

    def pair(self, samples: int) -> tuple[float, float]:
        """Both at the same moment."""
        with ThreadPoolExecutor(2) as pool:
            ours, theirs = pool.submit(self.through_quantgate, samples), pool.submit(self.bare, samples)
            return ours.result(), theirs.result()

    def staggered(self, samples: int, rounds: int) -> list[tuple[float, float]]:
        """Pairs that begin one after the other and go on beside each other, each of one sample more: no two runs are the same."""
        with ThreadPoolExecutor(rounds) as pool:
            waiting = []
            for number in range(rounds):
                waiting.append(pool.submit(self.pair, samples + number))
                time.sleep(STAGGER_SECONDS)
            return [pair.result() for pair in waiting]


def measure(effort: Effort) -> Result:
    """Two rows: a run of a few minutes, and what is fixed."""
    # An adapter has 2048 threads by default (nemo-evaluator 0.2.8): ten of them beside each other would be all that is measured.
    os.environ["ADAPTER_SERVER_THREADS"] = "64"
    rounds, samples = effort.rounds(), effort.size(SAMPLES, 16)
    folder = Path(tempfile.mkdtemp())
    with chat_server(_Answers) as url, ToolServer(cwd=folder) as server:
        server.begin()
        both = Both(server, folder, url)
        short = [both.pair(PARALLELISM) for _ in range(rounds)]
        long = both.staggered(samples, rounds)
    added = [ours - theirs for ours, theirs in long]
    minutes = statistics.median(theirs for _, theirs in long) / 60
    per_run = f"of runs of {minutes:.1f} minutes; what is added is {statistics.median(added):.1f} s there"
    rows: tuple[Row, ...] = (
        compared("run", f"a run of {samples} samples of IFBench, from `run` to succeeded", "nemo-evaluator run_eval",
                 long, limit=LIMIT, note=per_run),
        compared("fixed", f"a run of {PARALLELISM} samples: what quantgate adds by itself", "nemo-evaluator run_eval",
                 short, note=f"{statistics.median(a - b for a, b in short):.1f} s are added to a run, however long"),
    )  # fmt: skip
    return Result(rows)
