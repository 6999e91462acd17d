"""What only some systems have is used in one room: a check of the source, with what it must find."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import quantgate

PACKAGE = Path(quantgate.__file__).parent
DOORS = ("system/", "runs/scanner/reading.py")
MODULES = frozenset(
    [
        "fcntl",
        "pwd",
        "grp",
        "resource",
        "termios",
        "tty",
        "pty",
        "syslog",
        "spwd",
        "crypt",
        "readline",
        "msvcrt",
        "winreg",
        "_winapi",
        "ctypes",
        "platform",
    ]
)
"""`platform` tells the system too; its answers are in `system.machine`."""
NAMES = {
    "os": frozenset(
        [
            "fork",
            "forkpty",
            "setsid",
            "getsid",
            "getpgid",
            "setpgid",
            "getpgrp",
            "killpg",
            "getuid",
            "geteuid",
            "getgid",
            "getegid",
            "chown",
            "fchown",
            "lchown",
            "fchmod",
            "pread",
            "pwrite",
            "mkfifo",
            "uname",
            "sched_getaffinity",
            "statvfs",
            "getloadavg",
            "nice",
            "name",
            "O_NONBLOCK",
            "O_CLOEXEC",
            "O_NOFOLLOW",
            "O_DIRECTORY",
            "O_BINARY",
            "O_NOINHERIT",
            "startfile",
            "set_blocking",
            "wait4",
            "WNOHANG",
            "rename",
        ]
    ),
    "signal": frozenset(
        [
            "SIGKILL",
            "SIGHUP",
            "SIGALRM",
            "SIGCHLD",
            "SIGUSR1",
            "SIGUSR2",
            "SIGPIPE",
            "SIGBREAK",
            "alarm",
            "setitimer",
            "pthread_sigmask",
        ]
    ),
    "select": frozenset(["poll", "epoll", "kqueue", "select", "POLLIN"]),
    "socket": frozenset({"AF_UNIX"}),
    "sys": frozenset({"platform", "getwindowsversion"}),
    "time": frozenset({"tzset"}),
    "asyncio": frozenset({"add_signal_handler"}),
}
OPTIONS = frozenset(["start_new_session", "preexec_fn", "pass_fds", "creationflags", "startupinfo", "shell", "dir_fd"])
"""Of `subprocess` and `os`."""
PATHS = ("/proc/", "/sys/", "/dev/shm", "/etc/", "/tmp/", "/bin/sh")
ALLOWED = {("launcher/door.py", "pass_fds="): "an argument of `children.run`, which leaves it out on Windows"}
"""By file: what is used outside of the doors, and why it may be."""


def _used(tree: ast.AST) -> Iterator[str]:
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (a.name for a in names if a.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                root = module.split(".")[0]
                if root in MODULES:
                    yield module
                yield from (f"{root}.{a.name}" for a in names if a.name in NAMES.get(root, ()))
            case ast.Attribute(value=ast.Name(id=root), attr=name) if name in NAMES.get(root, ()):
                yield f"{root}.{name}"
            case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id=root), ast.Constant(value=name), *_]) if (
                name in NAMES.get(root, ())
            ):
                yield f"{root}.{name}"
            case ast.keyword(arg=str(option)) if option in OPTIONS:
                yield f"{option}="
            case ast.Constant(value=str(text)) if id(node) not in docstrings:
                yield from (path for path in PATHS if text.startswith(path))


def _outside() -> list[tuple[str, str]]:
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).as_posix()
        if not place.startswith(DOORS):
            found += [(place, name) for name in _used(ast.parse(file.read_text(encoding="utf-8")))]
    return found


def test_no_module_outside_the_door_uses_what_only_some_systems_have() -> None:
    assert sorted({found for found in _outside() if found not in ALLOWED}) == []


def test_what_is_allowed_outside_is_still_used() -> None:
    assert set(ALLOWED) - set(_outside()) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import fcntl", "fcntl"),
        ("from resource import setrlimit", "resource"),
        ("import os\nos.killpg(1, 2)", "os.killpg"),
        ("from signal import SIGKILL", "signal.SIGKILL"),
        ("import os\ngetattr(os, 'O_NOFOLLOW', 0)", "os.O_NOFOLLOW"),
        ("import sys\nif sys.platform == 'linux': pass", "sys.platform"),
        ("import subprocess\nsubprocess.Popen(['x'], start_new_session=True)", "start_new_session="),
        ("import subprocess\nsubprocess.run('ls', shell=True)", "shell="),
        ("p = '/proc/self/mounts'", "/proc/"),
        ("import os\nos.rename('a', 'b')", "os.rename"),
    ],
)
def test_the_check_finds(source: str, found: str) -> None:
    assert found in list(_used(ast.parse(source)))


@pytest.mark.parametrize(
    "source", ['"""Of /proc/."""', "import os\nos.replace('a', 'b')", "x.platform", "signal.SIGTERM"]
)
def test_the_check_leaves_alone(source: str) -> None:
    assert list(_used(ast.parse(source))) == []


def _opened_as_text(tree: ast.AST) -> Iterator[int]:
    """Lines that open a file as text without saying its encoding, which differs between systems."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        named = {k.arg for k in node.keywords} | {None if k.arg else "encoding" for k in node.keywords}
        modes = [
            *words,
            *(k.value.value for k in node.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)),
        ]
        binary = any("b" in mode for mode in modes if isinstance(mode, str) and set(mode) <= set("rwaxbt+"))
        told = "encoding" in named or any(word.lower() in {"utf-8", "ascii", "utf8"} for word in words)
        bare = (
            (name == "read_text" and not node.args)
            or (name == "write_text" and len(node.args) < 2)
            or (name in {"open", "fdopen"} and not binary and _of_a_file(node))
        )
        if bare and not told:
            yield node.lineno


def _of_a_file(node: ast.Call) -> bool:
    """Whether it is `open(…)`, `os.fdopen(…)` or `path.open("w")`; an opener of other things takes something else."""
    modes = [
        a
        for a in node.args
        if isinstance(a, ast.Constant) and isinstance(a.value, str) and set(a.value) <= set("rwaxt+")
    ]
    return bool(modes) or isinstance(node.func, ast.Name)


def test_every_file_that_is_read_or_written_as_text_has_its_encoding_said() -> None:
    found = [
        f"{file.relative_to(PACKAGE)}:{line}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line in _opened_as_text(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source", ["p.read_text()", "p.write_text('x')", "open('a')", "p.open('w')", "os.fdopen(3, 'w')"]
)
def test_a_file_without_an_encoding_is_found(source: str) -> None:
    assert list(_opened_as_text(ast.parse(source))) == [1]
