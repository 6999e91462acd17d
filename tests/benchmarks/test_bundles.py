"""Answers in common words become the launcher's options, and what was understood is said."""

import pytest

from quantgate.benchmarks import bundles
from quantgate.benchmarks.catalogue import load_catalogue
from quantgate.benchmarks.recipes import load_recipes
from quantgate.errors import BadInput, UnknownName
from quantgate.launcher import templates


def test_the_table_of_words_names_only_options_bundles_and_tasks_that_exist() -> None:
    words = bundles._words()
    found = templates.choices()
    assert set(words.execution.values()) <= set(found.execution)
    assert set(words.deployment.values()) <= set(found.deployment)
    assert set(words.model_type.values()) <= set(found.model_type)
    assert set(words.export.values()) <= set(found.export)
    assert set(words.benchmarks) == set(found.bundles)
    for model_type, meanings in words.benchmarks.items():
        for word, meaning in meanings.items():
            assert meaning.bundle or meaning.add, word
            assert not meaning.bundle or meaning.bundle in found.bundles[model_type], word
            assert set(meaning.add) <= {*load_catalogue().tasks, *load_recipes()}, word


@pytest.mark.parametrize(
    ("model_type", "word", "bundle", "add"),
    [
        ("base", "standard", ("general_knowledge",), ()),
        ("chat", "standard", ("core_reasoning",), ()),
        ("base", "code", ("coding",), ()),
        ("chat", "code", (), ("livecodebench", "scicode")),
        ("chat", "math_reasoning", ("core_reasoning",), ("aime2025",)),
        ("reasoning", "Tool Calling", ("agentic",), ()),
        ("chat", "safety", (), ("garak.garak", "safety_eval.aegis_v2", "safety_eval.wildguard")),
    ],
)
def test_a_common_word_is_mapped_by_model_type_and_said(
    model_type: str, word: str, bundle: tuple[str, ...], add: tuple[str, ...]
) -> None:
    answers = bundles.understand("local", "none", model_type, [word])
    assert answers.bundles == bundle
    assert answers.add_tasks == add
    assert any(repr(word) in note for note in answers.notes)


def test_safety_and_math_for_base_models_name_catalogue_tasks_of_the_completions_endpoint() -> None:
    answers = bundles.understand("slurm", "vllm", "base", ["math", "safety"])
    assert answers.bundles == ()
    types = {load_catalogue().tasks[name].endpoint_type for name in answers.add_tasks}
    assert types == {"completions"}
    assert "lm-evaluation-harness.adlr_math_500_4_shot_sampled" in answers.add_tasks
    assert any("no bundle for mathematics" in note for note in answers.notes)


def test_the_launchers_own_words_are_taken_silently_and_repeats_once() -> None:
    answers = bundles.understand("slurm", "vllm", "base", ["coding", "multilingual", "coding"], "wandb")
    assert answers == bundles.Answers("slurm", "vllm", "base", "wandb", ("coding", "multilingual"), (), ())


def test_a_recipe_and_a_catalogue_task_are_kept_to_be_added() -> None:
    answers = bundles.understand("process", "external", "Chat", ["mmlu_pro", "ns_ifeval"], "")
    assert answers.add_tasks == ("mmlu_pro", "nemo_skills.ns_ifeval")
    assert (answers.deployment, answers.model_type, answers.export) == ("none", "chat_reasoning", "none")


def test_unanswered_questions_are_listed_with_their_options() -> None:
    with pytest.raises(BadInput) as refusal:
        bundles.understand("", "none", "", [])
    text = str(refusal.value)
    assert "3 of the questions" in text
    for part in (
        "execution: ",
        "local | slurm | process",
        "model_type: ",
        "base | chat_reasoning",
        "core_reasoning",
        "mlflow",
    ):
        assert part in text
    assert "deployment:" not in text


def test_no_benchmarks_are_fine_once_the_other_questions_are_answered() -> None:
    assert bundles.understand("local", "none", "base", []).bundles == ()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (("kubernetes", "none", "base", []), r"execution 'kubernetes'.*one of local, slurm, process"),
        (("local", "tgi", "base", []), r"deployment 'tgi'.*one of none"),
        (("local", "none", "vision", []), r"model type 'vision'.*base, chat_reasoning"),
        (
            ("local", "none", "base", ["qqqq"]),
            r"benchmark 'qqqq'.*coding, general_knowledge, long_context, multilingual",
        ),
        (("local", "none", "base", ["helaswag"]), r"lm-evaluation-harness\.hellaswag"),
    ],
)
def test_an_answer_that_means_nothing_is_refused_with_the_options(answers: tuple, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        bundles.understand(*answers)


def test_an_ambiguous_task_name_is_refused_with_the_candidates() -> None:
    with pytest.raises(BadInput, match=r"lm-evaluation-harness\.mmlu, simple_evals\.mmlu"):
        bundles.understand("local", "none", "base", ["mmlu"])
