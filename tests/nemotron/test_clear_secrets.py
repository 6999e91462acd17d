"""A secret in clear is refused and not repeated."""

from __future__ import annotations

import pytest

from quantgate.errors import ConfigError
from quantgate.nemotron import clear_secrets
from quantgate.nemotron.change import Config

KEY = "hf_" + "abcdefghij0123456789"


@pytest.mark.parametrize(
    "config",
    [
        {"evaluation": {"env_vars": {"HF_TOKEN": KEY}}},
        {"evaluation": {"env_vars": {"HF_TOKEN": f"lit:{KEY}"}}},
        {"evaluation": {"env_vars": {"MY_API_KEY": "lit:swordfish9"}}},
        {"evaluation": {"env_vars": {"MY_PASSWORD": "swordfish"}}},
        {"execution": {"env_vars": {"export": {"WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567"}}}},
        {"target": {"api_endpoint": {"api_key": "nvapi-" + "a1" * 16}}},
        {"target": {"api_endpoint": {"url": "https://user:hunter2secret@host/v1"}}},
        {"deployment": {"command": f"serve --api-key {KEY}"}},
        {"run": {"wandb": {"api_key": "swordfish9"}}},
        {"a": "${oc.env:HF_TOKEN,swordfish}"},
        {"target": {"api_endpoint": {"api_key": "swordfish"}}},
        {"anywhere": {"password": "swordfish"}},
        {"execution": {"env_vars": ["MY_API_KEY=swordfish9"]}},
        {"evaluation": {"env_vars": {"AB_TOKEN": "ABCDEFGH12345678QRST"}}},
    ],
)
def test_a_secret_is_refused_and_only_its_place_is_named(config: Config) -> None:
    with pytest.raises(ConfigError, match="in clear") as refused:
        clear_secrets.refuse(config, "eval.yaml")
    for value in (KEY, "ABCDEFGH12345678QRST", "swordfish", "hunter2", "0123456789abcdef", "a1a1"):
        assert value not in str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        {"evaluation": {"env_vars": {"HF_TOKEN": "host:HF_TOKEN", "A_KEY": "OTHER_NAME", "B_KEY": "${oc.env:B_KEY}"}}},
        {"evaluation": {"env_vars": {"OPENAI_API_KEY": "lit:dummy", "C_KEY": "???", "D_TOKEN": "${oc.env:D_TOKEN,}"}}},
        {"target": {"api_endpoint": {"api_key_name": "NVIDIA_API_KEY"}}},
        {"deployment": {"command": "HF_TOKEN=$HF_TOKEN serve --api-key $API_KEY --max-tokens 4096"}},
        {
            "evaluation": {
                "nemo_evaluator_config": {"config": {"params": {"max_new_tokens": 128, "tokenizer": "org/model-12b"}}}
            }
        },
        {"a": "${oc.env:HF_TOKEN,null}", "pad_token": "<|endoftext|>", "eos_token": "stop", "auth": "basic"},
        {"judge": {"api_key": "JUDGE_API_KEY"}, "api_key": "${oc.env:JUDGE_API_KEY}", "api_key_name": "my_variable"},
    ],
)
def test_references_and_ordinary_values_pass(config: Config) -> None:
    clear_secrets.refuse(config, "eval.yaml")


def test_the_variable_to_export_is_named_after_the_item_of_a_list() -> None:
    with pytest.raises(ConfigError, match="say MY_API_KEY") as refused:
        clear_secrets.refuse({"execution": {"env_vars": {"evaluation": ["MY_API_KEY=swordfish9"]}}}, "eval.yaml")
    assert "swordfish" not in str(refused.value)


def test_a_word_in_capitals_is_a_variable_s_name_where_one_of_that_name_is_set() -> None:
    config: Config = {
        "evaluation": {"env_vars": {"AB_TOKEN": "CLUSTERTOKENOFOURS", "B_TOKEN": "A_LONG_NAME_OF_A_VARIABLE"}}
    }
    clear_secrets.refuse(config, "eval.yaml", {"CLUSTERTOKENOFOURS": "x"})
    with pytest.raises(ConfigError, match="AB_TOKEN"):
        clear_secrets.refuse(config, "eval.yaml", {})
