"""Files that are hardly configs."""

import itertools
from collections.abc import Iterator

from .case import Case, put, swap
from .keys import PROCESS, SLURM


def cases() -> Iterator[Case]:
    """Broken configs."""
    yield Case("compose", "list", "- a\n- b\n")
    yield Case("compose", "text", "just words\n")
    yield Case("compose", "empty", "")
    yield Case("compose", "only-a-comment", "# nothing\n")
    yield Case("compose", "tab", swap(PROCESS, "  output_dir:", "\toutput_dir:"))
    yield Case(
        "compose",
        "duplicate-key",
        swap(PROCESS, "        parallelism: 4\n", "        parallelism: 4\n        parallelism: 8\n"),
    )
    yield Case("compose", "duplicate-section", PROCESS + "execution: {type: local}\n")
    yield Case("compose", "open-bracket", swap(PROCESS, "  tasks:\n", "  tasks: [\n"))
    yield Case("compose", "unclosed-quote", swap(PROCESS, "url: http", 'url: "http'))
    yield Case("compose", "not-utf-8", PROCESS.encode() + b"# \xff\xfe\n")
    yield Case("compose", "nul", PROCESS + "# \0\n")
    yield Case("compose", "too-large", PROCESS + "# " + "x" * 3_000_000 + "\n")
    yield Case("compose", "bomb", "a: &a [x, x, x, x, x, x, x, x, x]\n" + _bomb())
    yield Case("compose", "itself", "a: &a {b: *a}\n" + PROCESS)
    yield Case("compose", "deep", "a: " + "[" * 200 + "]" * 200 + "\n" + PROCESS)
    yield Case("compose", "python-object", PROCESS + "x: !!python/object/apply:os.system ['true']\n")
    yield Case("compose", "two-documents", PROCESS + "---\na: 1\n")
    yield Case("compose", "unknown-group", put(SLURM, "defaults[1].deployment", "vlm"))
    yield Case("compose", "unknown-execution", put(SLURM, "defaults[0].execution", "slurm/gb200"))
    yield Case("compose", "tasks-as-mapping", put(PROCESS, "evaluation.tasks", {"name": "ifbench.ifbench"}))
    yield Case("compose", "task-as-text", put(PROCESS, "evaluation.tasks", ["ifbench.ifbench"]))
    yield Case("compose", "section-as-text", put(PROCESS, "evaluation", "ifbench"))
    yield Case("compose", "params-as-list", put(PROCESS, "evaluation.nemo_evaluator_config.config.params", [1]))
    yield Case("compose", "silence-as-text", put(PROCESS, "quantgate", {"silence": "T16"}))
    yield Case("compose", "missing-reference", put(PROCESS, "execution.output_dir", "/x/${execution.nothing}"))
    yield Case("compose", "cycle", put(PROCESS, "execution.output_dir", "${execution.output_dir}"))
    windows = swap(PROCESS, "parallelism: 4", "paralelism: 4").replace("\n", "\r\n")
    yield Case("C05", "windows-line-ends", windows.encode())
    merged = swap(PROCESS, "execution:\n", "x-shared: &shared {walltme: '1'}\n\nexecution:\n  <<: *shared\n")
    yield Case("C02", "merge-key", merged)
    anchored = swap(PROCESS, "        parallelism: 4\n", "        parallelism: &n many\n        max_new_tokens: *n\n")
    yield Case("C35", "anchor", anchored.replace("        max_new_tokens: 4096\n", ""))


def _bomb() -> str:
    names = "abcdefghij"
    lines = [f"{after}: &{after} [{', '.join(['*' + before] * 9)}]" for before, after in itertools.pairwise(names)]
    return "\n".join(lines) + "\n"
