"""A config's text: what it composes to, what is found in it, what an edit makes of it, and the same of a Nemotron config."""

from __future__ import annotations

from pathlib import Path

from quantgate import shipped

from ...evalconfig import made, valid_configs
from .. import bundle
from ..mutation import MOST
from ..refusing import refusing
from ..watching import CANARY, TOUCHED, Violation, foreseen
from .target import Target

CHECKED, EDITED, NEMOTRON = "eval.yaml", "edited.yaml", "nemotron.yaml"


def _call(data: bytes, room: Path) -> None:
    files = bundle.laid_out(data, room)
    if CHECKED in files:
        _checked(files[CHECKED])
    if EDITED in files:
        _edited(files[EDITED])
    if NEMOTRON in files:
        _nemotron_config(files[NEMOTRON], room)


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() and path.stat().st_size <= MOST else b""


def _checked(path: Path) -> None:
    from quantgate.evalconfig import compose, fingerprint
    from quantgate.tools.check_config import check_config

    before = _content(path)
    foreseen(lambda: check_config(str(path)))
    foreseen(lambda: fingerprint.mark(compose.compose(path).config, launcher_version="0.2.6").fingerprint)
    if _content(path) != before:
        raise Violation("checking a config changed it")


def _edited(path: Path) -> None:
    from quantgate.tools.edit_config import edit_config

    before = _content(path)
    change = [
        "evaluation.nemo_evaluator_config.config.params.parallelism=3",
        "target.api_endpoint.url=http://10.0.0.5:1/v1",
    ]
    if _refused(path, change, edit_config) and _content(path) != before:
        raise Violation("a refused edit changed the config")
    foreseen(lambda: edit_config(str(path), unset=["evaluation.env_vars"], add_tasks=["mmlu_pro"]))


def _refused(path: Path, change: list[str], edit_config: object) -> bool:
    refused = []

    def edit() -> object:
        from quantgate.errors import QuantgateError

        try:
            return edit_config(str(path), set=change)  # type: ignore[operator]
        except QuantgateError:
            refused.append(True)
            raise

    foreseen(edit)
    return bool(refused)


def _nemotron_config(path: Path, room: Path) -> None:
    from quantgate.tools.compile_config import compile_config

    # A reference to an artifact is looked up by a child process, which asks a tracking server.
    with refusing(room):
        foreseen(lambda: compile_config(config=str(path), output=str(room / "compiled.yaml")))


def _seeds() -> dict[str, bytes]:
    secret = made.PROCESS.replace("lit:dummy", "${oc.env:HF_TOKEN}").replace("model_id: small", f"model_id: {CANARY}")
    tagged = made.PROCESS.replace("small", f"!!python/object/apply:os.system ['touch {TOUCHED}']")
    merged = made.PROCESS.replace("  env_vars:\n", "  env_vars: &e\n    <<: {A: lit:x}\n") + "x: *e\n"
    named = {"process": made.PROCESS, "slurm": made.SLURM, "valid": valid_configs.SLURM, "secret": secret}
    named |= {"tagged": tagged, "merged": merged}
    found = {name: bundle.packed({CHECKED: text.encode()}) for name, text in named.items()}
    found |= {f"edited-{name}": bundle.packed({EDITED: text.encode()}) for name, text in named.items()}
    recipe = shipped.recipes_dir() / "nemotron" / "model_eval"
    for file in (recipe / "default.yaml", recipe / "tiny_chat.yaml"):
        found[f"nemotron-{file.stem}"] = bundle.packed({NEMOTRON: file.read_bytes()})
    return found


def _prepare() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for data in list(_seeds().values())[:2]:
            _call(data, Path(folder))


TARGET = Target("config", _call, _seeds, seconds=12, prepare=_prepare)
