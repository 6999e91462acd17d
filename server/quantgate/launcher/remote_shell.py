"""The `ssh` that NEL and rsync get: the user's own with quantgate's ssh_config, limits in time, and never a prompt.

NEL 0.2.6 calls plain `ssh` without any limit: a host that falls silent holds it for ever, and a question for a password waits for
an answer that nobody gives. Its shared connection (`ssh -Nf`) stays for ever, too, when NEL is killed.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from ..errors import LauncherError

CONFIG_VARIABLE = "QUANTGATE_SSH_CONFIG"
CONNECT_SECONDS = 15
ALIVE_SECONDS = 15
ALIVE_COUNT = 4
"""A host that is silent for `ALIVE_SECONDS` times this is given up."""
IDLE_SECONDS = 60
"""How long the shared connection outlives its last use."""
_SCRIPT = """\
#!/bin/sh
if [ "$1" = -Nf ]; then
    shift
    {ssh} -o ControlPersist={idle} "$@" true
else
    {ssh} "$@"
fi
exit $?
"""


def options() -> list[str]:
    """What is put before NEL's own arguments."""
    given = os.environ.get(CONFIG_VARIABLE)
    chosen = ["-F", str(Path(given).expanduser())] if given else []
    limits = {
        "BatchMode": "yes",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(ALIVE_SECONDS),
        "ServerAliveCountMax": str(ALIVE_COUNT),
    }
    return [*chosen, *(word for name, value in limits.items() for word in ("-o", f"{name}={value}"))]


def use(folder: Path) -> None:
    """Put such an `ssh` first on this process's PATH. Only in the child that talks to NEL.

    It does not become ssh but waits for it: the launch lock that it inherits is held until ssh has ended, and ssh itself closes
    what it inherits.

    Args:
        folder: A private directory that lives as long as the child.

    Raises:
        LauncherError: There is no ssh here.
    """
    real = shutil.which("ssh")
    if real is None:
        raise LauncherError("There is no ssh client on this machine", fix="install OpenSSH's client")
    programs = folder / "programs"
    programs.mkdir(mode=0o700, exist_ok=True)
    script = programs / "ssh"
    script.write_text(_SCRIPT.format(ssh=shlex.join([real, *options()]), idle=IDLE_SECONDS), encoding="utf-8")
    script.chmod(0o700)
    os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    # rsync would take another program by it.
    os.environ.pop("RSYNC_RSH", None)
