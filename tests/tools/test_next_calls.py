"""How next steps name calls; and that the checker of next steps, which watches all tests, can find what is wrong."""

from __future__ import annotations

import pytest

from quantgate.tools.next_call import call, whole

from ..next_steps import assert_can_be_followed, calls_in

CONFIG = "/evals/it's mine.yaml"


def test_a_call_is_written_so_that_it_is_read_back_as_it_was() -> None:
    text = call("canary", config=CONFIG, tasks=["a.b", 'say "x"'], wait_seconds=30, again=True)
    (found,) = calls_in(f"First this ({text}), then rest.")
    assert found.arguments == {"config": CONFIG, "tasks": ["a.b", 'say "x"'], "wait_seconds": 30, "again": True}


@pytest.mark.parametrize(
    "next_step",
    [
        "status(invocation_ids=[…], wait_seconds=30) until it ends.",
        "edit_config(set=['a.b=1']) mends it.",
        "verify_run(invocation_id='4f0c9d') before any score is reported.",
        "canary(config='eval.yaml', samples='ten') is the next gate.",
        "run('eval.yaml') is the full run.",
        "logs(invocation_id='4f0c9d' shows why.",
        "Ask the user, then dry_run again.",
        "Wait for it to end.",
    ],
    ids=["open", "no config", "unknown argument", "other type", "unnamed", "not closed", "bare tool", "nobody's part"],
)
def test_a_next_step_that_nobody_can_follow_is_found(next_step: str) -> None:
    with pytest.raises(AssertionError):
        assert_can_be_followed(next_step)


@pytest.mark.parametrize(
    "next_step",
    [
        "run(config='eval.yaml'): the canary passed.",
        "Tell the user that it is ended.",
        "Say that no loss was found, never that there is no difference.",
    ],
)
def test_a_call_or_a_persons_part_is_a_next_step(next_step: str) -> None:
    assert_can_be_followed(next_step)


def test_a_rules_advice_is_made_whole_with_the_config_and_with_what_is_to_be_filled_in() -> None:
    text = whole("edit_config(unset=['a.b']), or edit_config(model=…); list_tasks has more", "eval.yaml")
    assert [(c.spec.name, c.arguments) for c in calls_in(text)] == [
        ("edit_config", {"config": "eval.yaml", "unset": ["a.b"]}),
        ("edit_config", {"config": "eval.yaml", "model": "<checkpoint directory or Hugging Face handle>"}),
        ("list_tasks", {"query": "<words>"}),
    ]


def test_what_a_value_leaves_open_is_filled_in_inside_its_quotes() -> None:
    text = whole(
        """edit_config(set=['a.judge.model=…', 'b=x:v…, model=…, c'], model=…), then canary(config=…)""", CONFIG
    )
    assert [c.arguments for c in calls_in(text)] == [
        {
            "config": CONFIG,
            "set": ["a.judge.model=<value>", "b=x:v<value>, model=<value>, c"],
            "model": "<checkpoint directory or Hugging Face handle>",
        },
        {"config": CONFIG},
    ]


def test_what_is_no_call_stays_as_it_is() -> None:
    text = "give a.b=…, or 'c:…'; set d.build_config=1 in ./check_config/e.yaml, then edit_config(config='a.yaml', unset=['b'])"
    assert whole(text, "eval.yaml") == text
