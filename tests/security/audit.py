"""A user's machine with another secret in every place that may hold one, and a watch over the processes that come to be on it."""

from __future__ import annotations

import base64
import os
import secrets
import threading
import urllib.parse
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests import secrets_search
from tests.conftest import SHARED_CACHE
from tests.integration.stand_in import ChatHandler, chat_server
from tests.secrets_search import Sighting

KEY = "ENDPOINT_API_KEY"
VARIABLES = (
    "HF_TOKEN",
    "NGC_API_KEY",
    "NVIDIA_API_KEY",
    "OPENAI_API_KEY",
    "JUDGE_API_KEY",
    "ANTHROPIC_API_KEY",
    "WANDB_API_KEY",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "DB_PASSWORD",
    "SLACK_WEBHOOK",
)
"""Variables with a secret's name that the config does not name: no child but NEL's own has a use for them."""
WATCH_SECONDS = 0.1


def _value() -> str:
    """A secret of no known shape, with characters that encodings change."""
    return f"zQ7/{secrets.token_hex(12)}+x={secrets.token_hex(4)}"


@dataclass
class Machine:
    """The machine.

    Attributes:
        home: The user's home.
        work: Where the config and the runs are.
        values: Every secret by the place where it is held.
    """

    home: Path
    work: Path
    values: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The whole environment of whatever the user starts."""
        named = {name: self.values[name] for name in VARIABLES}
        password, proxy = (urllib.parse.quote(self.values[n], safe="") for n in ("url password", "proxy password"))
        passed = ("PATH", "LANG", "PYTHONPATH")
        return {
            **{name: os.environ[name] for name in passed if name in os.environ},
            **named,
            "HOME": str(self.home),
            "TMPDIR": str(self.work / "tmp"),
            "QUANTGATE_HOME": str(self.home / "quantgate"),
            "QUANTGATE_CACHE": str(SHARED_CACHE),
            "NEMO_EVALUATOR_EXEC_DB_FILE": str(self.home / "exec-db" / "exec.v1.jsonl"),
            "MLFLOW_TRACKING_URI": f"http://user:{password}@127.0.0.1:9",
            "HTTPS_PROXY": f"http://user:{proxy}@127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
        }


def make(home: Path, work: Path) -> Machine:
    """Lay every secret down."""
    names = (*VARIABLES, KEY, "url password", "proxy password", "netrc", "ssh key", "other .env")
    machine = Machine(home, work, {name: _value() for name in names})
    (work / "tmp").mkdir(parents=True)
    private = {
        home / ".netrc": f"machine api.wandb.ai login user password {machine.values['netrc'].replace(' ', '')}\n",
        home / ".ssh" / "id_ed25519": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{machine.values['ssh key']}\n-----END\n",
        work / ".env": f"{KEY}={machine.values[KEY]}\nUNNAMED_TOKEN={machine.values['other .env']}\n",
    }
    for file, text in private.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
    return machine


class _Echo(ChatHandler):
    """An endpoint that says the key it is given back in every answer, plain and encoded, as a careless one does in its errors."""

    def asked(self, body: bytes) -> None:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        encoded = base64.b64encode(key.encode()).decode()
        self.complete(f"Your key is {key}, in base64 {encoded}. " * 3)


def endpoint() -> AbstractContextManager[str]:
    """Such an endpoint; its address."""
    return chat_server(_Echo)


class Watch:
    """Looks at every process of the machine again and again: its command line, and what it could read of its environment."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._mark = f"QUANTGATE_HOME={machine.environment()['QUANTGATE_HOME']}".encode()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)
        self.titles: set[Sighting] = set()
        self.harness: dict[str, set[str]] = {}
        """By command line of a harness's process, the names of the secrets in its environment."""

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=10)

    def _look_again(self) -> None:
        while not self._over.wait(WATCH_SECONDS):
            for pid in psutil.pids():
                self._look(pid)

    def _look(self, pid: int) -> None:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            place = str(Path(f"/proc/{pid}/cwd").readlink())
        except OSError:
            return
        # A harness gets an environment of its own: only the directory that it works in tells whose it is.
        is_harness = self._mark not in environment and place.startswith(f"{self._machine.work}/results/")
        if self._mark not in environment and not is_harness:
            return
        self.titles.update(secrets_search.in_titles([pid], self._machine.values))
        if is_harness:
            title = command.replace(b"\0", b" ")[:80].decode("utf-8", "replace")
            seen = {s.name for s in secrets_search.in_bytes(environment, self._machine.values, "")}
            self.harness[title] = self.harness.get(title, set()) | seen
