"""The user's config is the old one or the new one, whatever happens while it is written."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from quantgate.errors import ConfigError, StorageError
from quantgate.evalconfig import atomic_file, surgery
from quantgate.evalconfig.document import ConfigDocument
from quantgate.evalconfig.edit import Request, edit

from .made import PROCESS, write

LOOP = """\
import sys
from quantgate.evalconfig import surgery
from quantgate.evalconfig.document import ConfigDocument
print("ready", flush=True)
while True:
    for value in ("sequential", "parallel"):
        document = ConfigDocument.load(sys.argv[1])
        surgery.set_value(document, "execution.mode", value).save()
"""


def _versions() -> set[bytes]:
    def with_mode(value: str) -> bytes:
        return surgery.set_value(ConfigDocument(Path("x.yaml"), PROCESS), "execution.mode", value).text.encode()

    return {PROCESS.encode(), with_mode("sequential"), with_mode("parallel")}


def _changed(path: Path, old: bytes) -> bool:
    """Whether somebody wrote the file, within a time that is enough on a busy machine too."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if path.read_bytes() != old:
            return True
    return False


def test_a_process_killed_while_it_writes_leaves_one_of_the_two_versions(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    versions, chance = _versions(), random.Random(7)
    for _ in range(12):
        path.write_bytes(PROCESS.encode())
        child = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        # Counted from a write that was seen: from the start, a busy machine would have every kill come before the first one.
        assert _changed(path, PROCESS.encode()), "nothing was written"
        end = time.monotonic() + chance.uniform(0.0, 0.12)
        while time.monotonic() < end:
            assert path.read_bytes() in versions, "a reader saw half a file"
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert path.read_bytes() in versions - {PROCESS.encode()}
    edit(str(path), Request(set=("execution.mode=sequential",)))
    assert b"mode: sequential" in path.read_bytes()


def test_what_a_killed_edit_left_is_removed_later_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    old, young, other = (
        tmp_path / name
        for name in (".eval.yaml.a1.quantgate-edit", ".eval.yaml.b2.quantgate-edit", ".other.yaml.c3.quantgate-edit")
    )
    for file in (old, young, other):
        file.write_text("half")
    os.utime(old, (1, 1))
    os.utime(other, (1, 1))
    edit(str(path), Request(set=("execution.mode=parallel",)))
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)


def test_of_two_edits_at_once_one_is_written_and_the_other_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    documents = [
        surgery.set_value(ConfigDocument.load(path), "execution.mode", value) for value in ("sequential", "parallel")
    ]
    start, outcomes = threading.Barrier(2), []

    def save(document: ConfigDocument) -> None:
        start.wait()
        try:
            document.save()
            outcomes.append(document.text)
        except StorageError as error:
            outcomes.append(error.what)

    threads = [threading.Thread(target=save, args=(document,)) for document in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("changed on disk" in outcome for outcome in outcomes) == 1
    assert path.read_text() in outcomes


def test_edits_in_processes_at_once_are_never_lost_silently(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    script = (
        "import sys\nfrom quantgate.errors import StorageError\nfrom quantgate.evalconfig.edit import Request, edit\n"
        "try:\n    edit(sys.argv[1], Request(set=(f'execution.mounts.x{sys.argv[2]}.a=1',)))\n    print('written')\n"
        "except StorageError as error:\n    print('told')\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(path), str(n)], stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    written = sum(child.communicate()[0] == "written\n" for child in children)
    assert written >= 1
    assert sum(f"x{n}:" in path.read_text() for n in range(4)) == written


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask that counts")
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_a_new_file_has_the_mode_that_the_user_gives_new_files(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        atomic_file.replace(tmp_path / "new.yaml", b"a: 1", expected=None)
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.yaml").stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o444, 0o400])
def test_a_read_only_config_is_not_replaced(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, PROCESS)
    path.chmod(mode)
    with pytest.raises(StorageError, match="read-only"):
        edit(str(path), Request(set=("execution.mode=parallel",)))
    assert path.read_text() == PROCESS
    assert stat.S_IMODE(path.stat().st_mode) == mode


def _as_nobody(use: Callable[[], None]) -> type[Exception] | None:
    """Run something in a child with the rights of an ordinary user; the class of what it raised."""
    classes: list[type[Exception]] = [StorageError, ConfigError, OSError, Exception]
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setegid(65534)
                os.seteuid(65534)
            use()
        except Exception as error:  # noqa: BLE001 - its class is what is asked for
            code = 1 + next(index for index, kind in enumerate(classes) if isinstance(error, kind))
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return classes[code - 1] if code else None


@pytest.mark.parametrize("file_mode", [0o666, 0o644])
def test_a_directory_that_cannot_be_written_leaves_the_file_and_says_so(file_mode: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        path = write(directory, PROCESS)
        path.chmod(file_mode)
        directory.chmod(0o555)
        document = surgery.set_value(ConfigDocument.load(path), "execution.mode", "parallel")
        assert _as_nobody(document.save) is StorageError
        assert path.read_text() == PROCESS
        directory.chmod(0o755)


def test_a_directory_that_cannot_be_entered_is_a_refusal_and_no_traceback() -> None:
    with tempfile.TemporaryDirectory() as name:
        path = write(Path(name), PROCESS)
        Path(name).chmod(0o600)
        document = surgery.set_value(ConfigDocument(path, PROCESS), "execution.mode", "parallel")
        if os.geteuid() != 0:
            Path(name).chmod(0o700)
            pytest.skip("needs a directory of another user")
        assert _as_nobody(lambda: ConfigDocument.load(path) and None) is ConfigError
        assert _as_nobody(document.save) is StorageError
        Path(name).chmod(0o700)


def test_a_failed_write_says_why_and_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, PROCESS)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_file.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        edit(str(path), Request(set=("execution.mode=parallel",)))
    assert path.read_text() == PROCESS
    assert list(tmp_path.iterdir()) == [path]


def test_a_linked_config_is_edited_where_it_lies(tmp_path: Path) -> None:
    real = tmp_path / "store"
    real.mkdir()
    path = write(real, PROCESS)
    path.chmod(0o600)
    link, chain = tmp_path / "link.yaml", tmp_path / "chain.yaml"
    link.symlink_to(path)
    chain.symlink_to(link)
    edit(str(chain), Request(set=("execution.mode=parallel",)))
    assert chain.is_symlink()
    assert link.is_symlink()
    assert "mode: parallel" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_broken_link_a_loop_and_a_pipe_are_refused(tmp_path: Path) -> None:
    gone, loop, pipe = (tmp_path / name for name in ("gone.yaml", "loop.yaml", "pipe.yaml"))
    gone.symlink_to(tmp_path / "nothing.yaml")
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    for path in (gone, loop, pipe):
        with pytest.raises(ConfigError):
            edit(str(path), Request(set=("execution.mode=parallel",)))


BAD = {
    "alias bomb": "\n".join(
        ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    ).encode(),
    "duplicate key": PROCESS.encode() + b"execution: {}\n",
    "tab": b"execution:\n\tmode: x\n",
    "list": b"- a\n- b\n",
    "not utf-8": b"a: 1\nb: \xff\xfe\n",
    "utf-16": "a: 1\n".encode("utf-16"),
    "NUL": b"a: 1\x00\n",
    "two documents": b"a: 1\n---\nb: 2\n",
    "python tag": b"a: !!python/object/apply:os.system [touch /tmp/never]\n",
    "deep": b"a: " + b"[" * 5000,
    "50 MB": b"a: " + b"x" * 50_000_000,
    "many values": b"a: [" + b"1, " * 600_000 + b"]",
    "many lines": b"# x\n" * 30_000,
    "empty": b"",
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_config_is_refused_in_no_time_and_untouched(tmp_path: Path, name: str) -> None:
    path = tmp_path / "eval.yaml"
    path.write_bytes(BAD[name])
    started = time.process_time()
    with pytest.raises(ConfigError) as refusal:
        edit(str(path), Request(set=("execution.mode=parallel",)))
    assert time.process_time() - started < 10
    assert "eval.yaml" in str(refusal.value)
    assert path.read_bytes() == BAD[name]
    assert list(tmp_path.iterdir()) == [path]


def test_line_ends_and_the_byte_order_mark_stay(tmp_path: Path) -> None:
    path = tmp_path / "eval.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + PROCESS.replace("\n", "\r\n").encode())
    edit(str(path), Request(set=("execution.mode=parallel",), add_tasks=("simple_evals.mmlu_pro",)))
    saved = path.read_bytes()
    assert saved.startswith(b"\xef\xbb\xbf# IFBench")
    assert saved.count(b"\n") == saved.count(b"\r\n")
    assert b"  mode: parallel\r\n" in saved


def test_an_edit_keeps_anchors_aliases_and_merge_keys_or_refuses(tmp_path: Path) -> None:
    text = PROCESS.replace("target:\n", "x-shared: &shared\n  HF_TOKEN: host:HF_TOKEN\ntarget:\n").replace(
        "  env_vars:\n    DUMMY_API_KEY: lit:dummy\n", "  env_vars:\n    <<: *shared\n    DUMMY_API_KEY: lit:dummy\n"
    )
    path = write(tmp_path, text)
    edit(str(path), Request(set=("evaluation.env_vars.LOG_LEVEL=lit:INFO",)))
    assert path.read_text() == text.replace("lit:dummy\n", "lit:dummy\n    LOG_LEVEL: lit:INFO\n")
    before = path.read_text()
    with pytest.raises(ConfigError, match="anchor"):
        edit(str(path), Request(unset=("evaluation.env_vars.HF_TOKEN",)))
    assert path.read_text() == before
