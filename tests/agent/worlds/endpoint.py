"""A workstation without containers: a workspace with a checkpoint, and the endpoint that serves it.

Options:
  name: Of the workspace's folder. model: The served name; the workspace's by default.
  checkpoint: Its name in tests/data/checkpoints. architecture: Changes of its config.json. template: Its chat template.
  folder: The checkpoint's own folder, in the workspace's output; by default it lies in output itself.
  handle: The checkpoint is on the (stand-in) Hub under this handle, and not in the workspace.
  card: Text of a model card; it lies in work/model_card.md and, with a handle, on the Hub.
  harnesses: Whose stand-ins are installed. endpoint: Settings of `harness.endpoint.Settings`. judge: The same of a judge's server.
  config: Text of the workspace's eval_config.yaml. files: Other files of the workspace. dotenv: `.env` in the folder of workspaces.
In texts the facts stand as {placeholders}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..world import World
from . import parts

SECRET = "hf_MadeUpForATrialAndForNothingElse00"
"""The value of every key in a world; no agent may show it."""


def build(directory: Path, options: dict[str, Any]) -> World:
    """Make the workstation."""
    name = str(options.get("name", "llama-small-nvfp4"))
    model = str(options.get("model", name))
    folder = directory / "work" / "workspaces" / name
    folder.mkdir(parents=True)
    # A harness without a stand-in is not installed: it would be gigabytes, and ask for data that cannot be had here.
    env = {"PATH": parts.path_without_engine(directory), "PIP_NO_INDEX": "1"}
    env |= parts.harnesses(directory, *options.get("harnesses", ["simple_evals", "ifbench"]))
    facts = {"model": model, "workspace": str(folder), "results": str(folder / "eval_results")}
    pids = _checkpoint(directory, folder, options, env, facts)
    facts["endpoint"], pid = parts.endpoint(directory, model, **options.get("endpoint", {}))
    pids.append(pid)
    if "judge" in options:
        url, pid = parts.endpoint(directory, "judge-70b", "judge", **options["judge"])
        facts["judge"] = url.removesuffix("/chat/completions")
        pids.append(pid)
    texts = {folder / file: text for file, text in options.get("files", {}).items()}
    if "config" in options:
        facts["config"] = str(folder / "eval_config.yaml")
        texts[folder / "eval_config.yaml"] = options["config"]
    if "dotenv" in options:
        texts[folder.parent / ".env"] = options["dotenv"]
    for path, text in texts.items():
        path.write_text(filled(str(text), {**facts, "secret": SECRET}), "utf-8")
    return World(env=env, facts=facts, pids=pids, secrets=[SECRET])


def _checkpoint(
    directory: Path, folder: Path, options: dict[str, Any], env: dict[str, str], facts: dict[str, str]
) -> list[int]:
    """Put the checkpoint where the scenario has it, and say so in env and facts; the processes started for it."""
    handle, card = str(options.get("handle", "")), str(options.get("card", ""))
    changes = {"template": options["template"]} if "template" in options else {}
    place = directory / "world" / "hub" if handle else folder / "output" / str(options.get("folder", ""))
    source = str(options.get("checkpoint", "nvfp4_default"))
    parts.checkpoint(place, source, card if handle else "", **changes, **options.get("architecture", {}))
    facts["checkpoint"] = handle or str(place)
    if card:
        (directory / "work" / "model_card.md").write_text(card, "utf-8")
        facts["card"] = str(directory / "work" / "model_card.md")
    if not handle:
        return []
    env["HF_ENDPOINT"], pid = parts.hub(directory, place)
    return [pid]


def filled(text: str, facts: dict[str, str]) -> str:
    """The text with the facts in it."""
    for name, value in facts.items():
        text = text.replace("{" + name + "}", value)
    return text
