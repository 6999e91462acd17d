"""The model server answers, and ends with whoever started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from quantgate.demo.small_model import Endpoint, serving
from quantgate.demo.weights import FILE_NAME, TERMS
from quantgate.errors import EndpointError

PARENT = """
import sys, time
from pathlib import Path
from quantgate.demo.small_model import serving

with serving(Path(sys.argv[1]), Path(sys.argv[2])) as endpoint:
    print(endpoint.pid, flush=True)
    time.sleep(120)
"""


@pytest.fixture(scope="module")
def endpoint(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with serving(weights, tmp_path_factory.mktemp("model") / "model.log") as served:
        yield served


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def _ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_the_model_is_listed_under_its_name(endpoint: Endpoint) -> None:
    with urllib.request.urlopen(endpoint.url.replace("/chat/completions", "/models"), timeout=10) as response:
        listed = json.load(response)
    assert [row["id"] for row in listed["data"]] == [Path(FILE_NAME).stem]
    assert endpoint.url.startswith("http://127.0.0.1:")


def test_the_model_answers_a_chat_completion_within_the_tokens_asked_for(endpoint: Endpoint) -> None:
    body = {
        "model": Path(FILE_NAME).stem,
        "messages": [{"role": "user", "content": "The sky is"}],
        "max_tokens": 8,
        "temperature": 0,
    }
    request = urllib.request.Request(
        endpoint.url, json.dumps(body).encode(), {"Content-Type": "application/json", "Authorization": "Bearer dummy"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert answer["choices"][0]["message"]["content"].strip()
    assert 1 <= answer["usage"]["completion_tokens"] <= 8


def test_a_prompt_reaches_the_base_model_as_it_stands(endpoint: Endpoint) -> None:
    """Eight words are about as many tokens; a template of roles around them would be half as many again."""
    body = {
        "model": Path(FILE_NAME).stem,
        "messages": [{"role": "user", "content": "one two three four five six seven eight"}],
    }
    request = urllib.request.Request(
        endpoint.url, json.dumps({**body, "max_tokens": 1}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert 8 <= answer["usage"]["prompt_tokens"] <= 10


def test_the_server_is_in_a_process_group_of_its_own(endpoint: Endpoint) -> None:
    assert os.getpgid(endpoint.pid) == endpoint.pid
    assert os.getpgid(endpoint.pid) != os.getpgid(0)


def test_leaving_the_block_ends_the_server(weights: Path, tmp_path: Path) -> None:
    with serving(weights, tmp_path / "model.log") as served:
        assert not _ended(served.pid)
    assert _ended(served.pid)
    assert TERMS in (tmp_path / "model.log").read_text()


def test_the_server_dies_when_its_parent_is_killed(weights: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(weights), str(tmp_path / "model.log")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not _ended(pid)
        parent.send_signal(signal.SIGKILL)
    assert _until(lambda: _ended(pid), 10)


def test_a_server_whose_parent_was_gone_before_it_started_ends(weights: Path) -> None:
    command = [sys.executable, "-m", "quantgate.demo.small_model", "--port", "0", "--weights", str(weights)]
    # The id of a process that is not the parent stands for a parent that died first.
    done = subprocess.run([*command, "--parent", "999999999"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_foreground_command_ends_on_a_signal(weights: Path, sign: signal.Signals) -> None:
    command = [sys.executable, "-m", "quantgate.demo.small_model", "--port", "0", "--weights", str(weights)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == TERMS
        assert "/v1/chat/completions" in child.stdout.readline()
        child.send_signal(sign)
        assert child.wait(10) == 0


def test_a_file_that_is_not_a_model_is_reported_with_the_end_of_the_log(weights: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.gguf"
    junk.write_bytes(b"not a model")
    with pytest.raises(EndpointError, match=r"ended with code 1.*cannot be served"), serving(junk, tmp_path / "m.log"):
        pytest.fail("a file that is not a model was served")


def test_missing_weights_are_named_without_a_traceback(weights: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "quantgate.demo.small_model",
        "--port",
        "0",
        "--weights",
        str(tmp_path / "no.gguf"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "No weights at" in done.stderr
    assert "Traceback" not in done.stderr
