"""Environments of the stand-ins where those of the real harnesses would be: in quantgate's cache, or as a cluster's image.

They hold nemo-evaluator's command (of this project's own environment), the tasks as NEL's catalogue describes them, and the
harness's program. `nemo-evaluator`, its adapter and everything of NEL is real; only the program is a stand-in.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from quantgate.launcher import harness_env, harnesses

ROOT = Path(__file__).parents[3]
PROGRAMS = {"nemo_skills": "ns", "simple_evals": "simple_evals", "ifbench": "ifbench"}
_HEAD = "#!{python} -P\nimport sys\nsys.path[:0] = [{site!r}, {root!r}]\n"
_MAIN = "from tests.agent.harness.{module} import main\nif __name__ == '__main__':\n    sys.exit(main())\n"


def install(harness: str, cache_dir: Path) -> Path:
    """Put a stand-in where the process executor looks for the environment of `harness`.

    Args:
        harness: NEL's name.
        cache_dir: What QUANTGATE_CACHE says.
    """
    place = cache_dir / "harnesses" / harness_env.key(harnesses.require_wheel(harness))
    return make(harness, place)


def make(harness: str, place: Path) -> Path:
    """Write the environment of a stand-in."""
    programs = place / "bin"
    site = place / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    package = site / "core_evals" / harness
    for folder in (programs, package):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        (programs / name).symlink_to(sys.executable)
    head = _HEAD.format(python=sys.executable, site=str(site), root=str(ROOT))
    run = "from nemo_evaluator.core.entrypoint import run_eval\n"
    # The adapter's process is spawned and imports this file again.
    _program(programs / "nemo-evaluator", f"{head}{run}if __name__ == '__main__':\n    sys.exit(run_eval())\n")
    module = PROGRAMS[harness]
    program(programs / module, module)
    (package / "__init__.py").write_text("", "utf-8")
    (package / "output.py").write_text(
        "from tests.agent.harness import output\n\n"
        f"def parse_output(output_dir):\n    return output.parse_output({harness!r}, output_dir)\n",
        "utf-8",
    )
    (package / "framework.yml").write_text(yaml.safe_dump(_framework(harness)), "utf-8")
    return place


def program(path: Path, module: str) -> None:
    """A command that runs the `main` of a module of this package."""
    head = _HEAD.format(python=sys.executable, site=str(ROOT), root=str(ROOT))
    _program(path, head + _MAIN.format(module=module))


def _program(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o755)


def _framework(harness: str) -> dict[str, Any]:
    """The harness's tasks as NEL describes them; a container's own directory is not here."""
    tasks = [t for t in _catalogue()["tasks"] if t["harness"] == harness]
    for task in tasks:
        task["defaults"]["command"] = task["defaults"]["command"].replace("cd /nemo_run/code &&", "cd /tmp &&")
        task["defaults"]["config"]["params"].setdefault("limit_samples", None)
    return {
        "framework": {"name": harness, "pkg_name": harness, "full_name": f"stand-in for {harness}"},
        "defaults": {},
        "evaluations": [{"name": t["name"], "description": t["description"], "defaults": t["defaults"]} for t in tasks],
    }


@cache
def _catalogue() -> dict[str, Any]:
    text = files("nemo_evaluator_launcher").joinpath("resources/all_tasks_irs.yaml").read_text("utf-8")
    # A safe loader, in C where there is one.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    catalogue: dict[str, Any] = yaml.load(text, loader)
    return catalogue
