"""What counts as a secret, and that it is masked wherever it may appear."""

from __future__ import annotations

import io
import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantgate import redact


@pytest.mark.parametrize(
    "name",
    [
        *("HF_TOKEN", "NGC_API_KEY", "WANDB_API_KEY", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "api-key"),
        *("API_KEYS", "OPENAI_API_KEYS", "HF_TOKENS", "PASSWORDS", "PGPASSWORD", "SSHPASS"),
        *("accessToken", "authToken", "clientSecret", "secretKey", "privateKey", "apiKey"),
    ],
)
def test_a_variable_with_such_a_name_holds_a_secret(name: str) -> None:
    assert redact.is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("TOKENIZER", "api_key_name", "max_new_tokens", "PATH", "MONKEY", "SSH_AUTH_SOCK"),
        *("completion_tokens", "missing_keys", "maxTokens", "KeyError", "InvalidToken", "bypass"),
    ],
)
def test_a_variable_with_such_a_name_does_not(name: str) -> None:
    assert not redact.is_secret_name(name)


def test_the_value_of_a_secret_variable_is_masked_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", "plain-looking-value")
    assert redact.redact("calling with plain-looking-value now") == f"calling with {redact.MASK} now"


def test_a_short_value_such_as_dummy_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUMMY_API_KEY", "dummy")
    assert redact.redact("a dummy key") == "a dummy key"


@pytest.mark.parametrize(
    "text",
    [
        "hf_" + "a1B2" * 8,
        "nvapi-" + "x9-_" * 8,
        "sk-proj-" + "Z" * 24,
        "Authorization: Bearer abcdefgh12345678",
        "https://user:hunter2hunter2@host/path",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----",
        "WANDB_API_KEY=0123456789abcdef0123",
        "'api_key': 'abcdefghijkl'",
    ],
)
def test_text_with_the_shape_of_a_credential_is_masked(text: str) -> None:
    masked = redact.redact(text)
    assert redact.MASK in masked
    assert "hunter2" not in masked
    assert masked != text


def test_names_of_variables_and_references_stay_readable() -> None:
    text = "HF_TOKEN: host:HF_TOKEN, api_key: JUDGE, max_tokens=131072"
    assert redact.redact(text) == text


def test_the_filter_masks_message_arguments_and_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "very-secret-value")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(redact.RedactingFilter())
    logger = logging.getLogger("test-redaction")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        raise ValueError("very-secret-value")
    except ValueError:
        logger.exception("failed with %s", "very-secret-value")
    logger.removeHandler(handler)
    assert "very-secret-value" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


@given(st.text(max_size=200))
def test_redaction_is_stable(text: str) -> None:
    once = redact.redact(text)
    assert redact.redact(once) == once


@pytest.mark.parametrize(
    "line", ["a-" * 100_000, "eyJ-" * 50_000, "a+" * 100_000, "key" * 70_000, "x:" * 100_000, "k = " * 50_000]
)
def test_a_long_line_does_not_cost_its_square(line: str) -> None:
    started = time.monotonic()
    assert redact.redact(line) == line
    # With a cost that grows as the square of the length these take minutes.
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "text", ["--api-key=abcdefgh1234", "-api_key: abcdefgh1234", "x --token abc --hf-token=abcdefgh1234"]
)
def test_a_flags_value_is_masked(text: str) -> None:
    assert "abcdefgh1234" not in redact.redact(text)


def test_the_name_of_a_variable_is_no_secret_and_its_value_is() -> None:
    assert redact.redact("api_key: JUDGE_API_KEY") == "api_key: JUDGE_API_KEY"
    assert "QWERTYUIOP" not in redact.redact("api_key: QWERTYUIOPQW")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("vllm serve --api-key q9w8e7r6t5y4 --port 1", "vllm serve --api-key [redacted] --port 1"),
        ("run --api_key 'q9w8e7r6t5y4'", "run --api_key '[redacted]'"),
        ("run --api-key $VLLM_API_KEY", "run --api-key $VLLM_API_KEY"),
        ("run --api_key_name DUMMY_API_KEY", "run --api_key_name DUMMY_API_KEY"),
        ("run --api-key MY_API_KEY", "run --api-key MY_API_KEY"),
        ("serve --tokenizer nvidia/some-model", "serve --tokenizer nvidia/some-model"),
        ("serve --api-key --port 12345678", "serve --api-key --port 12345678"),
    ],
)
def test_the_value_after_a_secret_flag_is_masked(text: str, shown: str) -> None:
    assert redact.redact(text) == shown


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("JUDGE_PASSWORD", "lit:correcthorsebattery", "lit:[redacted]"),
        ("api_key", "abc", "[redacted]"),
        ("API_KEY", "host:MY_API_KEY", "host:MY_API_KEY"),
        ("api_key", "$MY_API_KEY", "$MY_API_KEY"),
        ("api_key", "MY_API_KEY", "MY_API_KEY"),
        ("api_key_name", "MY_API_KEY", "MY_API_KEY"),
        ("key", "B", "B"),
        ("model", "lit:gpt-oss-120b", "lit:gpt-oss-120b"),
    ],
)
def test_a_config_is_masked_by_the_names_of_its_keys(name: str, given: str, shown: str) -> None:
    assert redact.redact_config({"a": [{name: given}]}) == {"a": [{name: shown}]}


def test_a_secret_that_a_config_writes_out_is_known_from_then_on() -> None:
    redact.register_literals(
        {"tasks": [{"env_vars": {"JUDGE_PASSWORD": "lit:correcthorsebattery", "M": "lit:a-model"}}]}
    )
    assert redact.redact("said correcthorsebattery of a-model") == "said [redacted] of a-model"


def test_a_secret_is_masked_as_the_name_of_a_key_too() -> None:
    secret = "hf_" + "a1" * 10
    assert redact.redact_value({"layers": {secret: 1}}) == {"layers": {redact.MASK: 1}}
    assert secret not in str(redact.redact_config({secret: {"x": "y"}, f"tail {secret}": "z"}))


def test_a_librarys_wrong_call_of_logging_does_not_raise_into_it_and_its_stack_is_masked() -> None:
    secret = "hf_" + "a1" * 10
    record = logging.LogRecord("lib", logging.INFO, "", 1, f"%d of {secret}", ("x",), None, sinfo=f"at {secret}")
    assert redact.RedactingFilter().filter(record)
    assert redact.MASK in record.getMessage()
    assert secret not in logging.Formatter("%(message)s").format(record)
