"""Rules about what single benchmarks ask of the server: tools, context, and how much at once."""

from __future__ import annotations

from collections.abc import Iterable

from ...benchmarks.catalogue import CatalogueTask
from .effective import serving
from .report import Severity
from .rule import Hit, Rule, Subject
from .structure import FACTS

VLLM_TOOLS = "vLLM 0.33.0 docs/features/tool_calling.md; SGLang 0.5.23 server_args.py (--tool-call-parser)"
SKILLS = "Benchmark practice with nemo-skills 26.03 (recipes/tasks/ns_hle_aa.md)"
LONG_CONTEXT = 196_608
SCICODE_CONTEXT = 65_536
MOST_AT_ONCE = 512
SANDBOX_AT_ONCE = 64
_SANDBOX_SOON = 16
_CONTEXT_FLAGS = ("--max-model-len", "--context-length", "--max-seq-len")


def _is_long(entry: CatalogueTask) -> bool:
    return entry.harness == "AA-LCR" or entry.name == "ns_aa_lcr"


def _is_scicode(entry: CatalogueTask) -> bool:
    return entry.harness == "scicode" or entry.name == "ns_scicode"


def tools_not_parsed(subject: Subject) -> Iterable[Hit]:
    """tau2 with a server that does not parse tool calls: every reward is 0.0."""
    server = serving(subject)
    if server is None or server.framework not in ("vllm", "sglang"):
        return
    lacking = [] if server.get("--tool-call-parser") else ["--tool-call-parser"]
    if server.framework == "vllm" and not server.has("--enable-auto-tool-choice"):
        lacking.insert(0, "--enable-auto-tool-choice")
    for index, entry in subject.catalogue_tasks.items():
        if entry.harness == "tau2_bench" and lacking:
            message = f"{entry.id} needs tool calls, and the server is started without {' and '.join(lacking)}"
            # NEL's template leaves them to the model's card.
            yield Hit(f"evaluation.tasks[{index}].name", message, severity=subject.soft, cause="T05")
            return


def too_much_at_once(subject: Subject) -> Iterable[Hit]:
    """tau2 or AA-LCR without a parallelism of their own choice, or with one that runs into rate limits."""
    for index, entry in subject.catalogue_tasks.items():
        if entry.harness != "tau2_bench" and not _is_long(entry):
            continue
        path, value = subject.given(subject.tasks[index], "config", "params", "parallelism")
        if value is None:
            message = f"No parallelism is given for {entry.id}; its default is {entry.params.get('parallelism')}"
            yield Hit(f"evaluation.tasks[{index}].name", message, severity="warning", cause="T08")
        elif _whole(value) > MOST_AT_ONCE:
            message = f"{entry.id} with parallelism {value}: rate limits of server, judge and simulator lower the score"
            yield Hit(path, message, cause="T08")


def short_context(subject: Subject) -> Iterable[Hit]:
    """AA-LCR with a context that its documents do not fit into."""
    for index, entry in subject.catalogue_tasks.items():
        served, where = context(subject)
        if _is_long(entry) and 0 < served < LONG_CONTEXT:
            message = f"{entry.id} needs a context of {LONG_CONTEXT}, and {where} {served}"
            yield Hit(f"evaluation.tasks[{index}].name", message, _room(subject, entry, LONG_CONTEXT), cause="T09")


def code_sandbox(subject: Subject) -> Iterable[Hit]:
    """SciCode with a short context, or with more tests at once than its sandbox runs in time."""
    for index, entry in subject.catalogue_tasks.items():
        if not _is_scicode(entry):
            continue
        served, where = context(subject)
        if 0 < served < SCICODE_CONTEXT:
            message = f"{entry.id} needs a context of {SCICODE_CONTEXT}, and {where} {served}"
            fix = _room(subject, entry, SCICODE_CONTEXT)
            yield Hit(f"evaluation.tasks[{index}].name", message, fix, cause="T10.context")
        path, given = subject.given(subject.tasks[index], "config", "params", "parallelism")
        if _whole(given) > _SANDBOX_SOON:
            message = f"{entry.id} with parallelism {given}: its sandbox runs out of time, and answers count as wrong"
            severity: Severity = "error" if _whole(given) >= SANDBOX_AT_ONCE else "warning"
            fix = "give the task a parallelism of 8"
            yield Hit(path, message, fix, severity, cause="T10.parallelism")


def context(subject: Subject) -> tuple[int, str]:
    """The context in tokens that the server will have, and what says so; (0, "") when nothing does."""
    server = serving(subject)
    given = server.number(*_CONTEXT_FLAGS) if server is not None else 0
    if given:
        return given, "the server is started with"
    inspection = subject.model.inspection if subject.model else None
    return (inspection.facts.longest_length, "the checkpoint's longest is") if inspection else (0, "")


def _room(subject: Subject, entry: CatalogueTask, needed: int) -> str:
    """How a task gets its context; where the model itself has less, no flag helps. Empty for the rule's own fix."""
    inspection = subject.model.inspection if subject.model else None
    longest = inspection.facts.longest_length if inspection else 0
    if not 0 < longest < needed:
        return ""
    return f"the model's own limit is {longest}, so remove the task: edit_config(remove_tasks=['{entry.id}'])"


def context_is_given(subject: Subject) -> bool:
    """Whether the command line says the context, so that no checkpoint is needed to tell it."""
    server = serving(subject)
    return server is not None and bool(server.number(*_CONTEXT_FLAGS))


def soft_fail(subject: Subject) -> Iterable[Hit]:
    """nemo_skills told to go on after a refused request, without the tokenizer that cutting a prompt needs."""
    for task in subject.tasks:
        path, given = subject.given(task, "config", "params", "extra", "args")
        if isinstance(given, str) and "++server.enable_soft_fail=True" in given and "++tokenizer" not in given:
            message = "++server.enable_soft_fail=True without ++tokenizer: each request that is too long ends the run"
            yield Hit(path, message, "add ++tokenizer=…, or remove it", cause="P29")


def text_only(subject: Subject) -> Iterable[Hit]:
    """A benchmark with images on a model that reads text only."""
    inspection = subject.model.inspection if subject.model else None
    if inspection is None or inspection.facts.multimodal or not inspection.facts.architecture:
        return
    if inspection.record.gguf is not None:
        return  # its vision tower is a file of its own
    for index, entry in subject.catalogue_tasks.items():
        if entry.endpoint_type == "vlm" or "mmmu" in entry.name:
            message = f"{entry.id} shows images, and the checkpoint ({inspection.facts.architecture[:60]}) has no vision tower"
            yield Hit(f"evaluation.tasks[{index}].name", message, cause="T14")


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


RULES = (
    Rule(
        "T05",
        "error",
        "tau2 without a tool-call parser",
        "add --enable-auto-tool-choice (vLLM) and --tool-call-parser as read_model_config names it",
        VLLM_TOOLS,
        tools_not_parsed,
    ),
    Rule(
        "T08",
        "error",
        "Parallelism of tau2 and AA-LCR",
        "give the task a parallelism of 32 to 128",
        FACTS,
        too_much_at_once,
    ),
    Rule(
        "T09",
        "error",
        "Context too short for AA-LCR",
        "raise --max-model-len",
        FACTS,
        short_context,
        needs=("checkpoint",),
        decided=context_is_given,
    ),
    Rule(
        "T10",
        "error",
        "SciCode without room",
        "raise --max-model-len",
        "Benchmark practice (recipes/tasks/scicode.md)",
        code_sandbox,
    ),
    Rule("P29", "error", "Soft fail without a tokenizer", "add ++tokenizer", SKILLS, soft_fail),
    Rule("T14", "error", "Images for a text model", "leave the task out", FACTS, text_only, ("checkpoint",)),
)
