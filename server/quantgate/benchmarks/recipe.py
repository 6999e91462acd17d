"""What a recipe says, as a program uses it: the variants of a benchmark, where their score stands, what they ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

GAP = "???"
"""What a fragment holds where only the user can say what belongs there; OmegaConf's own mark for a missing value."""

AVERAGE = re.compile(r"(avg[-_]of[-_])N\b")
_NOT_IN_EXPORTS = re.compile(r"[^/\w.\- ]")


@dataclass(frozen=True)
class Need:
    """An environment variable that a recipe reads; `example` is a value that is safe to print, empty for a secret."""

    name: str
    why: str
    example: str


@dataclass(frozen=True)
class SideModel:
    """Another model that a benchmark asks: a judge, or one that plays the user.

    Attributes:
        role: "judge" or "user simulator".
        at: Dotted path below `params` of the block that names it, such as `extra.judge`.
        url: The form of the URL: "base" ends in /v1, "chat" is the full path to /chat/completions.
        key: Name of the environment variable with its key; the fragment's env_vars declare it.
        reference: The model that published scores used; empty when not known.
    """

    role: Literal["judge", "user simulator"]
    at: str
    url: Literal["base", "chat"]
    key: str
    reference: str


@dataclass(frozen=True)
class Bounds:
    """Requests in flight that a task bears: the fragment's own number, and the range in which it may be changed."""

    default: int
    minimum: int
    maximum: int


@dataclass(frozen=True)
class Requirements:
    """What the rest of a config must have, so that a variant can run.

    Attributes:
        max_model_len: Tokens of context that the model must at least be served with; 0 for no more than the longest
            answer (`max_new_tokens`) and a short prompt take.
        tool_calling: The server must parse tool calls (vLLM: --enable-auto-tool-choice and --tool-call-parser).
        image_input: The model must take images.
        parallelism: None when the task takes the config's own.
        adapter: Adapter fields that the fragment sets for itself, such as logging that is switched off.
        env_vars: Variables that the fragment sets for itself, with NEL's prefixes.
        may_be_unlisted: The fragment names another image than the launcher's, whose tasks NEL reads from the registry;
            where it cannot, the task runs only with NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1.
    """

    max_model_len: int
    tool_calling: bool
    image_input: bool
    parallelism: Bounds | None
    adapter: Mapping[str, Any]
    env_vars: Mapping[str, str]
    may_be_unlisted: bool


@dataclass(frozen=True)
class ScorePlace:
    """Where a score stands in results.yml: `results.tasks.<task>.metrics.<metric>.scores.<name>.value`.

    Attributes:
        metric: "avg-of-N" (or "avg_of_N") has the number of repeats for N.
        once: The metric for a single repeat, when it then has another name; else empty.
        once_name: The score's name for a single repeat, when it then has another; else empty.
    """

    task: str
    metric: str
    name: str
    once: str
    once_name: str

    def filled(self, repeats: int) -> tuple[str, str]:
        """The names of the metric and the score in a run with a number of repeats."""
        metric = (self.once if repeats == 1 else "") or self.metric
        name = (self.once_name if repeats == 1 else "") or self.name
        return AVERAGE.sub(rf"\g<1>{repeats}", metric), AVERAGE.sub(rf"\g<1>{repeats}", name)


@dataclass(frozen=True)
class Variant:
    """One way to run the benchmark. Scores of different variants are never compared.

    Attributes:
        task: The catalogue id, `harness.task`.
        container: An image other than the launcher's own; empty for that one.
        place: Where its score stands.
        minimum: Lowest possible score.
        maximum: Highest possible score.
        samples: Questions in the full set; None when no source tells.
        repeats: Answers asked for each question.
        repeats_at: Dotted path below `params` that sets the repeats; empty when they cannot be set.
        per_sample: Glob of the files with one row per answer, below artifacts/; empty when there are none.
        sample_field: The field of a row that holds the score; dots lead into it.
        fragment: One entry of `evaluation.tasks`.
        container_only: No wheel of the harness exists.
        side_models: The judge and the user simulator, if there are.
        requirements: What the rest of the config must have.
        source: Where the number of questions and the metric's name are from.
    """

    harness: str
    task: str
    container: str
    place: ScorePlace
    minimum: float
    maximum: float
    higher_is_better: bool
    samples: int | None
    repeats: int
    repeats_at: str
    per_sample: str
    sample_field: str
    fragment: dict[str, Any]
    container_only: bool
    side_models: tuple[SideModel, ...]
    requirements: Requirements
    source: str

    @property
    def metric(self) -> str:
        """The metric as results.yml spells it for the recipe's own repeats."""
        return self.metric_name()

    def metric_name(self, repeats: int | None = None) -> str:
        """The metric as it is found in results.yml (`ReportedResults.find`) for a number of repeats (default: the recipe's)."""
        metric, name = self.place.filled(repeats or self.repeats)
        return metric if metric == name else f"{self.place.task}_{metric}_{name}"

    def exported_name(self, repeats: int | None = None) -> str:
        """The metric's name after NEL's export to MLflow, which spells out "@" and drops brackets.

        By nemo-evaluator-launcher 0.2.6, exporters/utils.py.
        """
        metric, name = self.place.filled(repeats or self.repeats)
        key = "_".join([self.place.task, metric, *([] if metric == name else [name])])
        return re.sub("_+", "_", _NOT_IN_EXPORTS.sub("_", key.replace("pass@", "pass_at_")))


@dataclass(frozen=True)
class Recipe:
    """One benchmark of `recipes/tasks/`.

    Attributes:
        sensitivity: How much the score reacts to a loss of numerical precision.
        cost: Requests and length of answers, in words.
        context: Tokens of context that the served model must at least have; 0 when the benchmark does not ask for more
            than its answers need.
        sandbox: Whether programs that the model wrote are run.
        needs: Names of environment variables.
    """

    name: str
    title: str
    endpoint_type: str
    sensitivity: str
    cost: str
    context: int
    sandbox: bool
    multimodal: bool
    tool_calling: bool
    needs: list[str]
    variants: tuple[Variant, ...]
    path: Path
    needs_explained: tuple[Need, ...] = field(default=())

    @property
    def judge(self) -> bool:
        """Whether a judge model has a part in it."""
        return any(side.role == "judge" for variant in self.variants for side in variant.side_models)
