"""The user's own files, which others write too: .env, netrc, env.toml, clusters.yaml, ssh_config, known_hosts, tokens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from .. import bundle
from ..mutation import MOST
from ..watching import CANARY, foreseen
from .target import Target


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() and path.stat().st_size <= MOST else ""


def _closed(path: Path) -> None:
    with contextlib.suppress(OSError):  # it may be anything, also a link that leads nowhere
        path.chmod(0o600)


def _env(path: Path) -> object:
    from quantgate import credentials

    (path.parent / "eval.yaml").write_text("x: ${oc.env:A}\ny: host:B\n")
    _closed(path)
    return len(credentials.environment(path.parent / "eval.yaml")), sorted(credentials.read_env_file(path))


def _netrc(path: Path) -> object:
    from quantgate import wandb_login

    return wandb_login.find({"NETRC": str(path), "WANDB_BASE_URL": "https://api.wandb.ai"})


def _env_toml(path: Path) -> object:
    from quantgate.nemotron import env_toml

    found = env_toml.read(path)
    for name in [*found.profiles, "lepton"][:5]:
        foreseen(lambda name=name: env_toml.apply({"run": {"env": {}}}, found, name))  # type: ignore[misc]
    return env_toml.listed(found)


def _clusters(path: Path) -> object:
    from quantgate.cluster import known_clusters

    return known_clusters._read(path)


def _ssh_config(path: Path) -> object:
    from quantgate.cluster import ssh_settings

    os.environ[ssh_settings.CONFIG_VARIABLE] = str(path)
    try:
        return ssh_settings.named_in_config("login"), ssh_settings.named_in_config("a.b")
    finally:
        del os.environ[ssh_settings.CONFIG_VARIABLE]


def _known_hosts(path: Path) -> object:
    from quantgate.cluster import host_keys
    from quantgate.cluster.ssh_settings import HostSettings

    return host_keys.read(
        HostSettings(
            alias="login", hostname="login", port=22, user="me", identity_files=(), identities_only=False, known_hosts=(path,),
            key_name="", proxy_jump=(), proxy_command="", agent="",
        )
    )  # fmt: skip


def _tokens(path: Path) -> object:
    from quantgate.server.http import tokens

    _closed(path)
    return [holder.name for holder in tokens.from_file(path)]


def _jsonc(path: Path) -> object:
    from quantgate.install import jsonc

    text = _text(path)
    try:
        once = jsonc.with_entry(text, "mcpServers", "quantgate", {"command": "quantgate"})
        return jsonc.without_entry(once, "mcpServers", "quantgate")
    except jsonc.NotJson as refused:
        return str(refused)


def _toml(path: Path) -> object:
    from quantgate.install import toml_entry

    text = _text(path)
    try:
        once = toml_entry.with_entry(text, "mcp_servers", "quantgate", {"command": "quantgate", "args": ["serve"]})
        return toml_entry.without_entry(once, "mcp_servers", "quantgate")
    except toml_entry.NotToml as refused:
        return str(refused)


def _record(path: Path) -> object:
    from quantgate.install import record

    path.replace(path.parent / record.NAME)
    return record.read(path.parent)


FILES: dict[str, Callable[[Path], object]] = {
    ".env": _env, "dotenv": lambda path: _env(path.replace(path.parent / ".env")), "netrc": _netrc, "env.toml": _env_toml,
    "clusters.yaml": _clusters, "ssh_config": _ssh_config, "known_hosts": _known_hosts, "tokens": _tokens,
    "settings.jsonc": _jsonc, "config.toml": _toml, "installed.json": _record,
}  # fmt: skip


def _call(data: bytes, room: Path) -> None:
    from quantgate import redact

    known = set(redact._registered)
    files = bundle.laid_out(data, room)
    for name, path in files.items():
        if name in FILES:
            foreseen(lambda name=name, path=path: FILES[name](path))  # type: ignore[misc]
    # Thousands of inputs in one process would make every later answer slower.
    redact._registered.intersection_update(known | {CANARY})


def _seeds() -> dict[str, bytes]:
    files = {
        "dotenv": f"HF_TOKEN={CANARY}\nexport A='x y' # c\nB=\"$HOME\"\nLD_PRELOAD=/x.so\n".encode(),
        "netrc": f"machine api.wandb.ai\n  login user\n  password {CANARY}\nmacdef init\n\n".encode(),
        "env.toml": (
            b"[wandb]\n"
            b'project = "p"\n'
            b"[lepton]\n"
            b'extends = "base"\n'
            b'container_image = "i"\n'
            b"[base]\n"
            b'executor = "slurm"\n'
            b'account = "a"\n'
            b"when = 2026-01-01\n"
            b"[base.env]\n"
            b'A = "b"\n'
        ),
        "clusters.yaml": (
            b"clusters:\n"
            b"  one: &a\n"
            b"    login_node: login\n"
            b"    user: me\n"
            b"    slurm: {default_account: a}\n"
            b"  two:\n"
            b"    <<: *a\n"
            b"    gpu_type: H100\n"
        ),
        "ssh_config": (
            b"Include conf.d/*\n"
            b"Host login *.b !c\n"
            b"  HostName login.example\n"
            b"  ProxyJump x\n"
            b'Match host y exec "touch executed-by-input"\n'
        ),
        "known_hosts": (
            b"login,10.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n"
            b"|1|c2FsdA==|aGFzaA== ssh-rsa AAAA\n"
            b"@revoked * ssh-rsa AAAA\n"
            b"[login]:2222 x y\n"
        ),
        "tokens": b"alex full " + b"a" * 64 + b"\n# c\nkim read-only " + b"b" * 64 + b"\n",
        "settings.jsonc": (
            b'{\n  // mine\n  "mcpServers": {"other": {"command": "x", "args": [1, 2.5e3, null, "\\u00e9"],},},\n}\n'
        ),
        "config.toml": b'model = "x"\n[mcp_servers.other]\ncommand = "y"\n[[a]]\nb = [1, 2]\n',
        "installed.json": (
            b'{"format": 1, "quantgate": "0.1.0", "files": {"a/SKILL.md": "00"}, "server": null, "folders_made": 1}'
        ),
    }
    return {name.partition(".")[0]: bundle.packed({name: content}) for name, content in files.items()}


def _prepare() -> None:
    import tempfile

    for data in list(_seeds().values())[:2]:
        with tempfile.TemporaryDirectory() as folder:
            _call(data, Path(folder))


TARGET = Target("settings", _call, _seeds, seconds=3, prepare=_prepare)
