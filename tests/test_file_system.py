"""Where a path lies: by a table of mounts like the kernel's, and by the kernel's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate import workspace

TABLE = """\
/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
auto.home /home autofs rw 0 0
filer:/vol/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/local xfs rw 0 0
scratch@tcp:/scratch /scratch lustre rw 0 0
gpfs01 /gpfs gpfs rw 0 0
user@host:/x /mnt/with\\040blank fuse.sshfs rw 0 0
overlay /overlay fuse.fuse-overlayfs rw 0 0
host /shared 9p rw 0 0
half a line
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "mounts"
    file.write_text(TABLE)
    monkeypatch.setattr(workspace, "MOUNTS", file)
    return file


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/var/lib/x", "ext4", False),
        ("/home/me/.local/state", "nfs4", True),
        ("/home/local/me", "xfs", False),
        ("/homestead", "ext4", False),
        ("/scratch/me/not-made-yet/deeper", "lustre", True),
        ("/gpfs", "gpfs", True),
        ("/mnt/with blank/x", "fuse.sshfs", True),
        ("/overlay/x", "fuse.fuse-overlayfs", False),
        ("/shared", "9p", True),
    ],
)
def test_the_longest_mount_point_tells_the_file_system(table: Path, path: str, kind: str, network: bool) -> None:
    found = workspace.file_system(Path(path))
    assert (found.kind, found.network) == (kind, network)


def test_a_link_lies_where_it_leads(table: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/scratch/me")
    assert workspace.file_system(tmp_path / "link" / "ledger").kind == "lustre"


def test_without_the_kernel_s_table_the_system_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = workspace.file_system(tmp_path)
    monkeypatch.setattr(workspace, "MOUNTS", tmp_path / "absent")
    assert workspace.file_system(tmp_path) == own
    assert own.mount
