"""The two images of the tests, built from what is installed here and kept between sessions under the tag of the real one."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from quantgate.benchmarks import catalogue
from quantgate.launcher import harness_env, harnesses

from .engine import Engine
from .rootfs import RootFileSystem

SERVER_IMAGE = "localhost/quantgate-test/model-server:1"
SERVER_COMMAND = "python3 /opt/serve_model.py"
FOREIGN_IMAGE = "localhost/quantgate-test/foreign:1"
BUILD_SECONDS = 420
_LABEL = "quantgate.built-from"
_HERE = Path(__file__).parent


def harness_image(engine: Engine, environment: Path) -> str:
    """The image of ifbench under the tag that NEL asks for, with the harness's environment at the path that it has here."""

    def fill(root: RootFileSystem) -> None:
        root.programs()
        root.environment(environment, root.interpreter())

    site = str(harness_env.site_packages(environment))
    own = harnesses.require_wheel("ifbench").environment
    env = [
        f"PATH={environment / 'bin'}:/usr/bin:/bin",
        *(f"{name}={value.replace('{site}', site)}" for name, value in own.items()),
    ]
    tag = catalogue.load_catalogue().resolve("ifbench.ifbench").container
    return _ensure(engine, tag, _key(str(environment), *env), env, fill)


def server_image(engine: Engine) -> str:
    """The image of a model server: llama.cpp and no weights."""
    spec = find_spec("xllamacpp")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    interpreter = Path(sys.base_prefix, "bin")

    def fill(root: RootFileSystem) -> None:
        root.programs()
        root.interpreter()
        root.tree(package, at=Path("/opt/site/xllamacpp"))
        root.file(_HERE / "serve_model.py", at=Path("/opt/serve_model.py"))

    key = _key(version("xllamacpp"), (_HERE / "serve_model.py").read_text(encoding="utf-8"))
    return _ensure(engine, SERVER_IMAGE, key, [f"PATH={interpreter}:/usr/bin:/bin", "PYTHONPATH=/opt/site"], fill)


def foreign_image(engine: Engine) -> str:
    """An image for IBM's z processors; it holds no program."""
    _import(engine, FOREIGN_IMAGE, ["LABEL empty=1"], lambda root: None, "--arch=s390x")
    return FOREIGN_IMAGE


def _key(*parts: str) -> str:
    content = [sys.version, sys.base_prefix, (_HERE / "rootfs.py").read_text(encoding="utf-8"), *parts]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]


def _ensure(engine: Engine, tag: str, key: str, env: list[str], fill: Callable[[RootFileSystem], None]) -> str:
    have = engine.run("image", "inspect", "--format", f'{{{{index .Labels "{_LABEL}"}}}}', tag)
    if have.returncode == 0 and have.stdout.strip() == key:
        return tag
    changes = [*(f"ENV {variable}" for variable in env), f"LABEL {_LABEL}={key}"]
    _import(engine, tag, changes, fill)
    # What the tag named before would stay for ever.
    engine.run("image", "prune", "--force")
    return tag


def _import(
    engine: Engine, tag: str, changes: list[str], fill: Callable[[RootFileSystem], None], *options: str
) -> None:
    log = engine.folder / "import.log"
    command = ["docker", "import", *options, *(f"--change={change}" for change in changes), "-", tag]
    with log.open("w", encoding="utf-8") as said, engine.popen(command, said) as podman:
        assert podman.stdin is not None
        try:
            root = RootFileSystem(podman.stdin)
            fill(root)
            root.finish()
            podman.stdin.close()
            code = podman.wait(BUILD_SECONDS)
        except BaseException:
            podman.kill()
            raise
    if code != 0:
        raise subprocess.CalledProcessError(code, command, stderr=log.read_text(encoding="utf-8")[-2000:])
