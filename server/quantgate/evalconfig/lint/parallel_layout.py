"""Rules about the layout: GPUs that are asked for and used, and requests that are sent and served at once."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from ...checkpoint.fit import refused
from . import hardware, model_names
from .effective import Serving, inspected, serving
from .rule import Hit, Rule, Subject

LARGEST_NODE = 16
"""Beyond it the request for GPUs is itself wrong (rule D24), and nothing follows from it."""
_USUAL_NODE = 8
TP = "--tensor-parallel-size"
PP = "--pipeline-parallel-size"
DP = "--data-parallel-size"
EXPERTS = "--enable-expert-parallel"
_SEQUENCES = {"vllm": "--max-num-seqs", "sglang": "--max-running-requests"}
_DP_ATTENTION = "--enable-dp-attention"


def _sizes(server: Serving) -> tuple[int, int, int] | None:
    """TP, PP and DP of the command; None when one of them is not a number here (a shell variable)."""
    sizes = tuple(server.number(flag, default=1) for flag in (TP, PP, DP))
    tp, pp, dp = sizes
    if not tp or not pp or not dp:
        return None
    # SGLang's DP attention shares the tensor-parallel GPUs: SGLang 0.5.23 arg_groups/fields/parallel.py.
    return (tp, pp, 1) if server.has(_DP_ATTENTION) else (tp, pp, dp)


def experts(subject: Subject) -> Iterable[Hit]:
    """Experts that are not spread over the GPUs as whole ones, or a flag for experts that the model does not have."""
    server, model = serving(subject), inspected(subject)
    if server is None or server.framework != "vllm":
        return
    sizes = _sizes(server)
    asked = server.has(EXPERTS)
    if model is None:
        name = model_names.unread(subject)
        row = model_names.first(model_names.table().experts, name)
        if row is not None and not asked and sizes is not None and sizes[0] * sizes[2] > 1:
            message = (
                f"By its name {name[:80]!r} is a mixture of experts ({row.source}), on TP {sizes[0]} x DP {sizes[2]} "
                f"GPUs without {EXPERTS}: each expert is cut into pieces"
            )
            yield Hit(server.place(EXPERTS), message, server.add(EXPERTS), cause="D21")
        return
    if not model.facts.layers:
        return
    if asked and not model.facts.moe:
        message = f"{EXPERTS} is set, and config.json has no experts"
        yield Hit(server.place(EXPERTS), message, server.drop(EXPERTS), cause="D21")
    elif model.facts.moe and not asked and sizes is not None and sizes[0] * sizes[2] > 1:
        message = (
            f"{model.facts.experts} experts on TP {sizes[0]} x DP {sizes[2]} GPUs without {EXPERTS}: each expert is cut "
            "into pieces"
        )
        yield Hit(server.place(EXPERTS), message, server.add(EXPERTS), cause="D21")


def heads(subject: Subject) -> Iterable[Hit]:
    """A tensor parallelism that the model's heads cannot be divided by."""
    server, model = serving(subject), inspected(subject)
    if server is None or server.has(_DP_ATTENTION):
        return
    tp = server.number(TP, default=1)
    if model is None:
        yield from _heads_by_name(subject, server, tp or 1)
        return
    if model.record.gguf is not None:
        return
    why = refused(model.facts, tp) if tp else ""
    if why:
        allowed = [str(n) for n in range(1, 17) if not refused(model.facts, n)]
        yield Hit(
            server.place(TP),
            f"Tensor parallelism {tp} {why}: the server refuses it",
            f"set it to one of {', '.join(allowed)}; read_model_config works out which one fits",
            cause="D22",
        )


def _heads_by_name(subject: Subject, server: Serving, tp: int) -> Iterable[Hit]:
    name = model_names.unread(subject)
    row = model_names.first(model_names.table().sizes, name)
    if row is not None and row.heads and row.heads % tp:
        yield Hit(
            server.place(TP),
            f"Tensor parallelism {tp} does not divide the {row.heads} attention heads that {name[:80]!r} has by its name "
            f"({row.source})",
            "take a power of two",
            "warning",
            cause="D22",
        )


def more_than_there_are(subject: Subject) -> Iterable[Hit]:
    """More GPUs in the command than the job asks for."""
    server, request = serving(subject), hardware.asked(subject)
    if server is not None and request.none:
        message = f"{request.path} asks for no GPU, and deployment.command serves a model on GPUs"
        yield Hit(request.path, message, "ask for the GPUs of a node, such as gpu:8", cause="D23")
    if server is None or not request.count or request.count > LARGEST_NODE:
        return
    sizes = _sizes(server)
    nodes, instances = (_positive(subject.at("execution", key)) for key in ("num_nodes", "num_instances"))
    if sizes is None or nodes % instances:
        return
    tp, pp, dp = sizes
    has = request.count * (nodes // instances)
    if request.count > _USUAL_NODE and tp * pp * dp * 2 <= has:
        yield Hit(
            request.path,
            f"{request.path} asks for {request.count} GPUs of a node, and TP {tp} x PP {pp} x DP {dp} uses {tp * pp * dp}: "
            f"sbatch refuses it where nodes have {_USUAL_NODE}, and the rest idles where they have more",
            f"ask for {min(tp * pp * dp, _USUAL_NODE)}",
            cause="D23",
        )
    if tp * pp * dp > has:
        flag = max(((tp, TP), (pp, PP), (dp, DP)))[1]
        one = "node" if nodes // instances == 1 else f"{nodes // instances} nodes"
        yield Hit(
            server.place(flag),
            f"TP {tp} x PP {pp} x DP {dp} = {tp * pp * dp} GPUs, and an instance has {has} ({one} with {request.count})",
            f"lower them to {has}, or ask for more nodes or GPUs ({request.path})",
            cause="D23",
        )


def _positive(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


def sequences(subject: Subject) -> Iterable[Hit]:
    """A limit of sequences that does not go with the parallelism of the requests."""
    server = serving(subject)
    flag = _SEQUENCES.get(server.framework, "") if server is not None else ""
    if server is None or not flag:
        return
    limit, dp = server.number(flag), server.number(DP, default=1)
    asked = [n for task in subject.tasks if isinstance(n := subject.param(task, "parallelism"), int) and n > 0]
    if not limit or not dp or not asked or (flag == "--max-running-requests" and dp > 1):
        return
    instances = _positive(subject.at("execution", "num_instances"))
    wanted = ceil(max(asked) / (dp * instances))
    if limit == wanted:
        return
    text = (
        f"{flag} {limit}, where {max(asked)} requests at once / ({dp} replicas x {instances} instances) make {wanted}"
    )
    waits = f"{max(asked) - limit * dp * instances} requests wait" if limit < wanted else "room that no request uses"
    yield Hit(
        server.place(flag),
        f"{text}: {waits}",
        f"set {flag} to {wanted}, or the parallelism to {limit * dp * instances}",
        cause="D37",
    )


RULES = (
    Rule(
        "D22",
        "error",
        "Tensor parallelism that does not divide the heads",
        "take a divisor",
        "vLLM 0.33.0 config/model.py (verify_with_parallel_config), model_executor/models/llama.py",
        heads,
        needs=("checkpoint",),
    ),
    Rule(
        "D23",
        "error",
        "More GPUs than are asked for",
        "lower TP, PP or DP, or ask for more",
        "vLLM 0.33.0 config/parallel.py (world size); NEL 0.2.6 executors/slurm/executor.py",
        more_than_there_are,
    ),
    Rule(
        "D21",
        "warning",
        "Experts and --enable-expert-parallel",
        "set it for a mixture of experts, and for nothing else",
        "vLLM 0.33.0 docs/serving/expert_parallel_deployment.md",
        experts,
        needs=("checkpoint",),
    ),
    Rule(
        "D37",
        "warning",
        "Sequences and parallelism differ",
        "set the limit to ceil(parallelism / (DP x instances))",
        "vLLM 0.33.0 config/scheduler.py (max_num_seqs holds for one replica)",
        sequences,
    ),
)
