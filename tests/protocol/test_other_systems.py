"""The server as it would run on Windows and macOS, as far as one Linux machine can show it (`other_systems` says how far)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from quantgate.system import links, mounts, terminal
from quantgate.tools import TOOLS
from tests.protocol.other_systems import ABSENT_MODULES

REPOSITORY = Path(__file__).parents[2]
SYSTEMS = ("win32", "darwin")
CHECKPOINT = REPOSITORY / "tests" / "data" / "checkpoints"


def _as_on(
    system: str, *arguments: str, cwd: Path, given: bytes = b"", **env: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        _command(system, *arguments),
        input=given,
        capture_output=True,
        cwd=cwd,
        env=_variables(env),
        timeout=240,
        check=False,
    )


def _command(system: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.protocol.other_systems", system, *arguments]


def _variables(env: dict[str, str]) -> dict[str, str]:
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), **env}
    for name in ("TERM", "LANG", "LC_ALL", "SHELL", "USER", "LOGNAME", "TMPDIR"):
        if name not in env:
            variables.pop(name, None)
    return variables


def _script(folder: Path, text: str) -> str:
    file = folder / "quantgate.script.py"
    # Asked by the name of quantgate: what stands in hides names from quantgate's own code only.
    file.write_text('__name__ = "quantgate.script"\n' + text, encoding="utf-8")
    return str(file)


def _config(folder: Path, line_end: str = "\n") -> Path:
    text = (REPOSITORY / "recipes" / "examples" / "ifbench_process.yaml").read_text(encoding="utf-8")
    file = folder / "eval.yaml"
    file.write_bytes(text.replace("\n", line_end).encode())
    return file


def _call(system: str, cwd: Path, tool: str, **arguments: Any) -> tuple[int, str]:
    done = _as_on(system, "quantgate", "call", tool, json.dumps(arguments), cwd=cwd)
    said = done.stdout.decode("utf-8") + done.stderr.decode("utf-8")
    assert "Traceback" not in said
    return done.returncode, said


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_module_that_the_server_loads_can_be_imported(tmp_path: Path, system: str) -> None:
    code = """
import importlib, pkgutil, sys
import quantgate
# NEL, and what only its child imports; the demo's model; what runs inside of other programs.
left_out = ("quantgate.launcher.", "quantgate.tracking.child", "quantgate.nemotron.artifacts.wandb_child", "quantgate.demo.")
done = []
for found in pkgutil.walk_packages(quantgate.__path__, "quantgate."):
    if found.name == "quantgate.__main__":
        continue
    if found.name.startswith(left_out):
        try:
            importlib.import_module(found.name)
        except ImportError as error:
            assert (error.name or "").split(".")[0] not in ABSENT, (found.name, error)
        continue
    importlib.import_module(found.name)
    done.append(found.name)
print(len(done))
"""
    absent = f"ABSENT = {ABSENT_MODULES[system]!r}\n"
    done = _as_on(system, _script(tmp_path, absent + code), cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert int(done.stdout) > 300


def test_what_stands_in_hides_what_the_other_system_lacks(tmp_path: Path) -> None:
    code = """
import os, select, signal, socket, sys
try:
    import fcntl
except ImportError:
    print("no fcntl")
print(sys.platform, os.name, hasattr(os, "getuid"), hasattr(signal, "SIGKILL"), hasattr(select, "poll"), hasattr(socket, "AF_UNIX"))
from pathlib import Path
print(Path("/proc/self/mounts").exists())
try:
    open("/proc/self/mounts")
except FileNotFoundError:
    print("no /proc")
"""
    done = _as_on("win32", _script(tmp_path, code), cwd=tmp_path)
    assert done.stdout.decode().splitlines() == [
        "no fcntl",
        "win32 nt False False False False",
        "False",
        "no /proc",
    ], done.stderr.decode()


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_server_lists_its_tools_and_ends_with_its_input(tmp_path: Path, system: str) -> None:
    info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    said = [
        {"id": 1, "method": "initialize", "params": info},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
    ]
    answers = {}
    with (tmp_path / "errors").open("wb") as errors:
        command = _command(system, "quantgate", "serve")
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=tmp_path, env=_variables({})
        )
        assert server.stdin is not None
        assert server.stdout is not None
        with server:
            for message in said:
                server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\r\n")
                server.stdin.flush()
                # The SDK ends what is still at work when the input ends: each answer is waited for.
                if "id" in message:
                    answer = json.loads(server.stdout.readline())
                    answers[answer["id"]] = answer["result"]
            server.stdin.close()
            assert server.wait(60) == 0, (tmp_path / "errors").read_text()[-2000:]
    assert [tool["name"] for tool in answers[2]["tools"]] == [spec.name for spec in TOOLS]


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_tools_that_only_read_answer(tmp_path: Path, system: str) -> None:
    model = next(p.parent for p in sorted(CHECKPOINT.rglob("config.json")))
    code, said = _call(system, tmp_path, "detect_quantization", model=str(model))
    assert code == 0, said
    for tool, arguments in (
        ("check_environment", {}),
        ("list_tasks", {"query": "ifbench"}),
        ("read_model_config", {"model": str(model)}),
        ("check_config", {"config": str(_config(tmp_path))}),
        ("status", {}),
    ):
        code, said = _call(system, tmp_path, tool, **arguments)
        assert code == 0, f"{tool}: {said[-1500:]}"
        assert json.loads(said)["next_step"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_directory_is_read_scanned_and_verified(tmp_path: Path, system: str) -> None:
    run = _run_directory(tmp_path)
    code, said = _call(system, tmp_path, "logs", invocation_id=str(run))
    assert code == 0, said
    assert "CUDA out of memory" in said
    code, said = _call(system, tmp_path, "grep_slurm_logs", invocation_id=str(run), pattern="[[:alpha:]]+Error")
    assert code == 0, said
    assert json.loads(said)["verdict"] == "failed"
    assert "pattern" in {row["name"] for row in json.loads(said)["classes"]}
    code, said = _call(system, tmp_path, "verify_run", run=str(run))
    assert "verdict" in said


def _run_directory(folder: Path) -> Path:
    run = folder / "with blank" / "20260102_030405-0123456789abcdef"
    logs = run / "ifbench.ifbench.0" / "logs"
    logs.mkdir(parents=True)
    (run / "ifbench.ifbench.0" / "artifacts").mkdir()
    (logs / "client-1.log").write_bytes(
        b"started\r\ntorch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB\r\nended\r\n"
    )
    return run


def test_an_edit_keeps_the_line_ends_and_the_lock_of_windows(tmp_path: Path) -> None:
    folder = tmp_path / "with blank"
    folder.mkdir()
    config = _config(folder, "\r\n")
    code, said = _call("win32", tmp_path, "edit_config", config=str(config), set=["execution.mode=sequential"])
    assert code == 0, said
    text = config.read_bytes()
    assert b"mode: sequential" in text
    assert text.count(b"\n") == text.count(b"\r\n")


def test_on_windows_a_launch_is_refused_with_what_to_use_instead(tmp_path: Path) -> None:
    code = """
from quantgate.errors import LauncherError
from quantgate.launcher import door, here
from pathlib import Path
for verb in (door.launch, door.resume):
    try:
        verb(door.Request(Path("eval.yaml"), Path("out"), "0" * 16), {})
    except LauncherError as error:
        print(error)
"""
    done = _as_on("win32", _script(tmp_path, code), cwd=tmp_path)
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    assert said.count("No run can be launched from this machine") == 2
    assert "WSL 2" in said
    assert "login node" in said
    assert "nothing was launched" in said


def test_on_windows_check_environment_says_that_nothing_is_launched_from_here(tmp_path: Path) -> None:
    code, said = _call("win32", tmp_path, "check_environment", config=str(_config(tmp_path)))
    assert code == 0, said
    blockers = json.loads(said)["blockers"]
    assert any("WSL 2" in blocker for blocker in blockers)
    code, said = _call("darwin", tmp_path, "check_environment", config=str(_config(tmp_path)))
    assert not any("WSL 2" in blocker for blocker in json.loads(said)["blockers"])


@pytest.mark.parametrize(
    "model", ["C:\\models\\no such", "c:/models/x", "\\\\server\\share\\model", "\\\\?\\C:\\x", "CON", "aux.", "a:b"]
)
def test_a_windows_path_that_is_not_there_is_refused_as_a_path(tmp_path: Path, model: str) -> None:
    code, said = _call("win32", tmp_path, "read_model_config", model=model)
    assert code == 1
    assert said.strip()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
def test_the_command_line_prints_what_a_terminal_s_code_page_has_not(tmp_path: Path, encoding: str) -> None:
    done = _as_on("win32", "quantgate", "tools", cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr.decode()
    done = _as_on(
        "win32", "quantgate", "call", "list_tasks", '{"query": "ifbench"}', cwd=tmp_path, PYTHONIOENCODING=encoding
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout.decode(encoding))["tasks"]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_json_survives_a_pipe_whose_encoding_is_not_utf_8(tmp_path: Path, encoding: str) -> None:
    # The name of this file is in no code page.
    name = "größe\u2026\U0001f600.yaml"
    config = _config(tmp_path).rename(tmp_path / name)
    given = json.dumps({"config": str(config)})
    done = _as_on("win32", "quantgate", "call", "check_config", given, cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert name in json.loads(done.stdout.decode(encoding))["next_step"]


def test_a_pipe_in_a_code_page_is_written_to_in_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    # Python on Windows opens a pipe so; the user's own PYTHONIOENCODING stays.
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    assert not terminal.speaks_utf8()
    terminal.speak_utf8()
    assert terminal.speaks_utf8()
    print("größe\u2026\U0001f600", flush=True)
    assert raw.getvalue().decode("utf-8") == "größe\u2026\U0001f600" + os.linesep
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
    terminal.speak_utf8()
    assert not terminal.speaks_utf8()


def test_locks_exclude_a_second_holder_and_end_with_the_first(tmp_path: Path) -> None:
    code = """
from pathlib import Path
from quantgate.system import files, locks
file = Path("x.lock")
first = files.open_to_lock(file, make=True)
second = files.open_to_lock(file)
print(locks.try_exclusive(first), locks.try_exclusive(second), locks.try_shared(second))
import os
os.close(first)
print(locks.try_exclusive(second))
"""
    for system in ("win32", "darwin"):
        done = _as_on(system, _script(tmp_path, code), cwd=tmp_path)
        assert done.stdout.decode().split() == ["True", "False", "False", "True"], done.stderr.decode()


def test_a_helper_is_ended_with_what_it_started(tmp_path: Path) -> None:
    sleep = "import time; time.sleep(60)"
    starts = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {sleep!r}]).pid, flush=True); {sleep}"
    )
    code = f"""
import psutil, sys, time
from quantgate import children
done = children.run([sys.executable, "-c", {starts!r}], stdin=b"", env={{}}, seconds=3)
left, deadline = int(done.output.split()[0]), time.monotonic() + 10
def lives():
    return psutil.pid_exists(left) and psutil.Process(left).status() != psutil.STATUS_ZOMBIE
while lives() and time.monotonic() < deadline:
    time.sleep(0.05)
print(done.timed_out, lives())
"""
    for system in SYSTEMS:
        done = _as_on(system, _script(tmp_path, code), cwd=tmp_path)
        assert done.stdout.decode().split() == ["True", "False"], done.stderr.decode()


@pytest.mark.parametrize(
    ("path", "share"),
    [
        (PureWindowsPath(r"\\filer\vol\home\me"), r"\\filer\vol"),
        (PureWindowsPath("//filer/vol/home"), r"\\filer\vol"),
        (PureWindowsPath(r"C:\Users\me"), ""),
        (PureWindowsPath(r"\\?\C:\Users\me"), ""),
        (PurePosixPath("//filer/vol"), ""),
    ],
)
def test_a_path_of_another_windows_machine_lies_on_a_network(path: PureWindowsPath | PurePosixPath, share: str) -> None:
    assert mounts.share(path) == share


def test_a_proxy_command_s_pipes_are_one_connection() -> None:
    # On Windows a child takes no socket as its input; the threads that stand between are the same on every system.
    import socket

    ours, theirs = socket.socketpair()
    echo = [
        sys.executable,
        "-c",
        "import sys; [(sys.stdout.buffer.write(l.upper()), sys.stdout.flush()) for l in sys.stdin.buffer]",
    ]
    process = links._through_pipes(echo, theirs)
    with ours:
        ours.settimeout(20)
        for _ in range(3):
            ours.sendall(b"ssh-2.0 hello\n")
            assert ours.recv(100) == b"SSH-2.0 HELLO\n"
        ours.shutdown(socket.SHUT_WR)
        assert ours.recv(100) == b""
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    "expression", ["error", "out of (memory|space)", "[[:digit:]]{2,}x", "^a.*b$", "[^[:space:]]+Error"]
)
def test_the_scanner_s_own_grep_finds_what_grep_finds(tmp_path: Path, expression: str) -> None:
    from quantgate.runs.scanner import plain_grep

    lines = b"Error one\nout of MEMORY\n12x\n1x\n  ab\naXb\nxab\nValueError: \xff\xfe\n\nlast error without end"
    flags = ["-abiE", "-m", "10000", "-e", expression]
    env = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    real = subprocess.run(["grep", *flags], input=lines, capture_output=True, env=env, check=False)
    argv = [sys.executable, "-I", str(plain_grep.__file__), *flags]
    ours = subprocess.run(argv, input=lines, capture_output=True, check=False)
    assert (ours.returncode, ours.stdout) == (real.returncode, real.stdout)


def test_the_scanner_s_own_grep_refuses_what_is_no_expression() -> None:
    from quantgate.runs.scanner import plain_grep

    for expression in ("(", "[a", "(?i)a", "a{2,1}"):
        argv = [sys.executable, "-I", str(plain_grep.__file__), "-aiE", "-e", expression]
        done = subprocess.run(argv, input=b"a\n", capture_output=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith(b"grep: ")


def test_a_log_below_a_run_on_windows_does_not_lead_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import ntpath
    from types import SimpleNamespace

    from quantgate.runs.scanner import files

    monkeypatch.setattr(files, "os", SimpleNamespace(path=ntpath, sep="\\"))
    entry: Any = SimpleNamespace(path="", name="client-1.log", is_symlink=lambda: False)
    assert not files.leads_out(entry, r"C:\run\task\logs", r"C:\run")
    assert files.leads_out(entry, r"C:\run-of-another\task\logs", r"C:\run")
