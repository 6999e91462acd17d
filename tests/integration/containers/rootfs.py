"""A root file system for a container, gathered from this machine: the interpreter, a few programs and what they link to.

Debian's debootstrap would fetch and unpack a distribution for minutes; what the tests run needs an interpreter, a shell and two
dozen programs, and these are here already. Files keep their absolute paths, so that a virtual environment works unchanged.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

PROGRAMS = (
    *("bash", "sh", "base64", "cat", "chmod", "chown", "cp", "cut", "date", "dirname", "env", "find", "grep", "head"),
    *("hostname", "id", "kill", "ln", "ls", "mkdir", "mv", "nproc", "ps", "readlink", "rm", "sed", "sleep", "sort"),
    *("stat", "tail", "tee", "touch", "tr", "true", "false", "uname", "wc"),
)
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_NOT_NEEDED = {
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "site-packages",
    "dist-packages",
}
_LINKED = re.compile(r"(/\S+)(?= \(0x)")
_FEW = 200
"""Files per call of ldd."""


class RootFileSystem:
    """A root file system as a tar stream.

    Args:
        output: Takes the tar stream; closed by the caller.
    """

    def __init__(self, output: io.BufferedIOBase) -> None:
        self._tar = tarfile.open(fileobj=output, mode="w|", format=tarfile.GNU_FORMAT)  # noqa: SIM115 - closed by `finish`
        self._have: set[str] = set()
        self._linked: set[Path] = set()
        self._skeleton()

    def _skeleton(self) -> None:
        for name in ("bin", "sbin", "lib", "lib64"):
            # Merged /usr as on this machine; a real directory needs no entry.
            if Path("/", name).is_symlink():
                self._link(name, f"usr/{name}")
        for name, mode in (("tmp", 0o1777), ("proc", 0o755), ("sys", 0o755), ("dev", 0o755), ("run", 0o755)):
            self._directory(name, mode)
        self._directory("root", 0o700)
        self.text("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        self.text("/etc/group", "root:x:0:\n")
        self.text("/etc/hosts", "127.0.0.1 localhost\n")
        self.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
        if Path(CERTIFICATES).is_file():
            self.file(Path(CERTIFICATES))

    def programs(self, names: Iterable[str] = PROGRAMS) -> None:
        """Add programs by name; one that this machine does not have is left out, but not the shell."""
        for name in names:
            found = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
            if found:
                self.file(Path(found))
                self._linked.add(Path(found))
            elif name in ("bash", "sh"):
                raise FileNotFoundError(f"no {name} on this machine")

    def interpreter(self) -> Path:
        """Add this Python without its site-packages; returns its path."""
        executable = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}").resolve()
        self.file(executable)
        self._linked.add(executable)
        for name in ("python3", f"python{sys.version_info.major}.{sys.version_info.minor}"):
            if name != executable.name:
                self._link(str(executable.parent / name), str(executable))
        for kind in ("stdlib", "platstdlib"):
            self.tree(Path(sysconfig.get_path(kind, vars={"base": sys.base_prefix, "platbase": sys.base_prefix})))
        return executable

    def environment(self, path: Path, executable: Path) -> None:
        """Add a virtual environment; its interpreter becomes a link to this one."""
        for name in ("python", "python3", executable.name):
            self._link(str(path / "bin" / name), str(executable))
        self.tree(path, skipped={"pip", "setuptools", "pkg_resources"})

    def tree(self, path: Path, skipped: Iterable[str] = _NOT_NEEDED, at: Path | None = None) -> None:
        """Add a directory with all that is in it, but for directories of these names."""
        leave_out = set(skipped)
        for folder, directories, files in os.walk(path):
            directories[:] = sorted(d for d in directories if d not in leave_out and not d.startswith("config-"))
            for name in sorted(files):
                source = Path(folder, name)
                self.file(source, (at or path) / source.relative_to(path))
                if ".so" in name:
                    self._linked.add(source)

    def file(self, path: Path, at: Path | None = None) -> None:
        """Add one file with its content, also when it is a link."""
        target = at or path
        name = str(target.parent.resolve() / target.name if at is None else target).lstrip("/")
        if name in self._have or not path.is_file():
            return
        self._have.add(name)
        info = self._tar.gettarinfo(str(path.resolve()), arcname=name)
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        info.type, info.linkname = tarfile.REGTYPE, ""
        info.size = path.stat().st_size
        with path.open("rb") as content:
            self._tar.addfile(info, content)

    def text(self, path: str, content: str) -> None:
        """Add a file with this content."""
        data = content.encode()
        info = tarfile.TarInfo(path.lstrip("/"))
        info.size, info.mode = len(data), 0o644
        self._have.add(info.name)
        self._tar.addfile(info, io.BytesIO(data))

    def finish(self) -> None:
        """Add the libraries that everything links to, and end the stream."""
        for library in sorted(linked_libraries(self._linked)):
            self.file(library)
        self._tar.close()

    def _link(self, name: str, target: str) -> None:
        info = tarfile.TarInfo(name.lstrip("/"))
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
        self._have.add(info.name)
        self._tar.addfile(info)

    def _directory(self, name: str, mode: int) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, mode
        self._tar.addfile(info)


def linked_libraries(binaries: Iterable[Path]) -> set[Path]:
    """The shared libraries outside of the given files' own packages that the loader would take for them."""
    paths = sorted(str(path) for path in binaries)
    found: set[Path] = set()
    for start in range(0, len(paths), _FEW):
        listing = subprocess.run(
            ["ldd", *paths[start : start + _FEW]], capture_output=True, text=True, timeout=120, check=False
        )
        found |= {Path(name) for name in _LINKED.findall(listing.stdout)}
    return found
