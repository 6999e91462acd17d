"""The flags of a serving command: read without losing anything, changed at one place, never taken apart by a shell."""

from __future__ import annotations

import random
import shlex
import string
import time

import pytest

from quantgate.errors import BadInput
from quantgate.evalconfig.command_flags import ServingCommand, canonical, flag_table

FOLDED = (
    "vllm serve /checkpoint --served-model-name ${deployment.served_model_name} --host 0.0.0.0 --port ${deployment.port} "
    "--tensor-parallel-size=4 --trust-remote-code --model-loader-extra-config "
    '\'{"enable_multithread_load": true, "num_threads": 128}\' --max-num-seqs 16 ${deployment.extra_args}'
)


def test_a_folded_command_is_read_whole() -> None:
    command = ServingCommand.parse(FOLDED)
    assert command.text == FOLDED
    assert command.program == ("vllm", "serve")
    assert command.model == "/checkpoint"
    assert command.flags == (
        ("--served-model-name", "${deployment.served_model_name}"),
        ("--host", "0.0.0.0"),
        ("--port", "${deployment.port}"),
        ("--tensor-parallel-size", "4"),
        ("--trust-remote-code", ""),
        ("--model-loader-extra-config", '{"enable_multithread_load": true, "num_threads": 128}'),
        ("--max-num-seqs", "16"),
    )


def test_an_absent_flag_is_none_and_a_switch_is_empty() -> None:
    command = ServingCommand.parse(FOLDED)
    assert command.get("--trust-remote-code") == ""
    assert command.get("--quantization") is None
    assert not command.has("--quantization")


def test_nels_own_model_interpolation_is_the_model() -> None:
    command = ServingCommand.parse("vllm serve ${select_not_null:deployment.hf_model_handle, /checkpoint} --port 80")
    assert command.model == "${select_not_null:deployment.hf_model_handle, /checkpoint}"
    assert command.get("--port") == "80"


@pytest.mark.parametrize(
    ("text", "program", "model"),
    [
        ("python3 -m sglang.launch_server --model-path /checkpoint --tp-size 2", 3, "/checkpoint"),
        ("python -m vllm.entrypoints.openai.api_server --model=/checkpoint --port 1", 3, "/checkpoint"),
        ("mpirun -n 2 trtllm-serve serve /checkpoint --tp_size=2", 2, "/checkpoint"),
        (
            "cd /x && OMP_NUM_THREADS=1 exec /opt/bin/vllm serve --trust-remote-code /checkpoint --port 1",
            2,
            "/checkpoint",
        ),
        ("A=1 llama-server -m /model.gguf --port 8000", 1, ""),
    ],
)
def test_other_ways_to_start_a_server_are_known(text: str, program: int, model: str) -> None:
    command = ServingCommand.parse(text)
    assert (len(command.program), command.model) == (program, model)


@pytest.mark.parametrize(
    "text", ["", "${deployment.base_command}", "bash -c 'vllm serve /c --port 1'", "cd /x && ./serve"]
)
def test_a_text_without_a_known_server_has_no_flags_and_refuses_a_new_one(text: str) -> None:
    command = ServingCommand.parse(text)
    assert command.program == ()
    assert command.flags == ()
    assert command.text == text
    with pytest.raises(BadInput, match="no serving command"):
        command.set("--port", "8000")


def test_spellings_that_mean_one_flag_are_one_flag() -> None:
    command = ServingCommand.parse("vllm serve /c -tp 2 --mamba_ssm_cache_dtype float32 -ep")
    assert command.get("--tensor-parallel-size") == "2"
    assert command.get("--mamba-ssm-cache-dtype") == "float32"
    assert command.has("--enable-expert-parallel")
    assert command.set("--tensor-parallel-size", "8").text.startswith("vllm serve /c -tp 8 ")


def test_a_switch_does_not_take_the_next_word() -> None:
    command = ServingCommand.parse("vllm serve --enable-expert-parallel /checkpoint --no-enable-prefix-caching x")
    assert command.get("--enable-expert-parallel") == ""
    assert command.model == "/checkpoint"
    assert command.get("--no-enable-prefix-caching") == ""


def test_further_arguments_by_interpolation_are_no_value() -> None:
    command = ServingCommand.parse("vllm serve /c --enable-something-new ${deployment.extra_args}")
    assert command.get("--enable-something-new") == ""


def test_a_flag_of_several_values_has_them_all() -> None:
    command = ServingCommand.parse("vllm serve /c --served-model-name a b --port 1")
    assert command.get("--served-model-name") == "a b"
    assert command.set("--served-model-name", "c d").text == "vllm serve /c --served-model-name c d --port 1"


def test_a_negative_number_is_a_value() -> None:
    assert ServingCommand.parse("vllm serve /c --max-model-len -1 --port 1").get("--max-model-len") == "-1"


def test_setting_replaces_the_value_where_it_stands() -> None:
    command = ServingCommand.parse(FOLDED).set("--tensor-parallel-size", "8").set("--max-num-seqs", "32")
    assert command.text == FOLDED.replace("size=4", "size=8").replace("seqs 16", "seqs 32")


def test_a_new_flag_comes_behind_the_last_argument() -> None:
    text = "vllm serve /c --port 1 > /logs/out.txt 2>&1 | tee x"
    command = ServingCommand.parse(text).set("--max-num-seqs", "4").set("--trust-remote-code")
    assert command.text == "vllm serve /c --port 1 --max-num-seqs 4 --trust-remote-code > /logs/out.txt 2>&1 | tee x"
    assert command.get("--max-num-seqs") == "4"


def test_of_a_doubled_flag_the_last_is_read_and_one_is_left() -> None:
    command = ServingCommand.parse("vllm serve /c --port 1 --max-model-len 10 --port 2")
    assert command.get("--port") == "2"
    assert command.set("--port", "3").text == "vllm serve /c --max-model-len 10 --port 3"


def test_removing_takes_the_value_and_the_line_with_it() -> None:
    text = "vllm serve /c \\\n  --port 1 \\\n  --max-num-seqs 4 \\\n  --trust-remote-code\n"
    command = ServingCommand.parse(text)
    assert command.remove("--max-num-seqs").text == "vllm serve /c \\\n  --port 1 \\\n  --trust-remote-code\n"
    assert command.remove("--trust-remote-code").text == "vllm serve /c \\\n  --port 1 \\\n  --max-num-seqs 4\n"
    assert command.remove("--quantization") is command


def test_json_is_put_in_quotes_and_comes_back() -> None:
    value = '{"enable_multithread_load": true, "text": "a; b & $c"}'
    command = ServingCommand.parse("vllm serve /c").set("--model-loader-extra-config", value)
    assert shlex.split(command.text)[-1] == value
    assert command.get("--model-loader-extra-config") == value


def test_a_value_in_quotes_of_its_own_is_kept() -> None:
    command = ServingCommand.parse("vllm serve /c").set("--chat-template", "'a;b'")
    assert command.text.endswith("--chat-template 'a;b'")
    assert command.get("--chat-template") == "a;b"


def test_a_value_with_a_space_is_one_word() -> None:
    command = ServingCommand.parse("vllm serve /c").set("--chat-template", "my template.jinja")
    assert shlex.split(command.text)[-2:] == ["--chat-template", "my template.jinja"]


def test_a_reference_into_the_config_may_be_a_value() -> None:
    command = ServingCommand.parse("vllm serve /c").set("--port", "${deployment.port}")
    assert command.text == "vllm serve /c --port ${deployment.port}"


@pytest.mark.parametrize(
    "value",
    [
        "8000\nrm -rf /",
        "8000\0",
        "8000; rm -rf /",
        "$(id)",
        "`id`",
        "${oc.env:HF_TOKEN}",
        "'${oc.env:HF_TOKEN}'",
        "a && b",
        "a | b",
        "> /etc/passwd",
        "--trust-remote-code",
        "-1",
        "'a' ; 'b'",
        '"$(id)"',
        "'-x'",
        "a #b",
        "a\\",
        "*",
        "~root",
        " ",
        "\u2028x",
    ],
)
def test_a_value_that_would_break_out_is_refused(value: str) -> None:
    command = ServingCommand.parse("vllm serve /c --port 1")
    with pytest.raises(BadInput):
        command.set("--port", value)
    with pytest.raises(BadInput):
        command.set("--served-model-name", value)


@pytest.mark.parametrize("flag", ["port", "--port;x", "--port x", "--", "-", "--a=b", "--a\n"])
def test_a_name_that_is_no_flag_is_refused(flag: str) -> None:
    with pytest.raises(BadInput, match="is no flag"):
        ServingCommand.parse("vllm serve /c").set(flag, "1")


@pytest.mark.parametrize(
    "text", ["vllm serve 'x", 'vllm serve "x', "vllm serve ${a", "vllm serve $(x", "vllm `x", "a\0b"]
)
def test_what_is_not_closed_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(BadInput, match=r"deployment\.command"):
        ServingCommand.parse(text)


def test_a_comment_ends_the_line_as_in_a_shell() -> None:
    command = ServingCommand.parse("vllm serve /c --port 1 # --max-num-seqs 4")
    assert not command.has("--max-num-seqs")
    assert command.set("--max-num-seqs", "8").text == "vllm serve /c --port 1 --max-num-seqs 8 # --max-num-seqs 4"


def test_the_command_in_a_script_is_found() -> None:
    script = 'set -e\nif [ "$PROC_ID" -eq 0 ]; then\n  ray start --head --port=1\n  vllm serve /c --port 2\nfi\n'
    command = ServingCommand.parse(script)
    assert command.get("--port") == "2"
    assert command.set("--port", "3").text == script.replace("--port 2", "--port 3")


def test_a_huge_or_deep_text_is_refused_or_read_in_time() -> None:
    begin = time.monotonic()
    with pytest.raises(BadInput, match="characters"):
        ServingCommand.parse("vllm serve " + "x" * 200_000)
    with pytest.raises(BadInput, match="not closed"):
        ServingCommand.parse("vllm serve " + "${" * 40_000)
    assert len(ServingCommand.parse("vllm serve /c " + "--a 1 " * 10_000).flags) == 10_000
    assert time.monotonic() - begin < 5


def test_random_texts_are_kept_or_refused_and_edits_change_one_flag_only() -> None:
    random.seed(4)
    pieces = [
        "vllm serve",
        "/c",
        "--port 1",
        "--a=b",
        "'q w'",
        '"x y"',
        "${a.b}",
        "\\\n",
        ";",
        "|",
        "#",
        "-tp 2",
        "'",
        '"',
        "$(",
    ]
    read = 0
    for _ in range(3000):
        text = " ".join(random.choices(pieces, k=random.randint(1, 8)))
        try:
            command = ServingCommand.parse(text)
        except BadInput:
            continue
        read += 1
        assert command.text == text
        if not command.program:
            continue
        name = "--" + random.choice(string.ascii_lowercase) * 3
        changed = command.set(name, "7")
        assert changed.flags == (*command.flags, (name, "7"))
        assert changed.remove(name).flags == command.flags
        others = [flag for flag in command.flags if flag[0] != "--port"]
        assert [flag for flag in command.set("--port", "9").flags if flag[0] != "--port"] == others
    assert read > 500


def test_the_table_names_its_sources() -> None:
    table = flag_table()
    assert "vLLM 0.33.0" in table.switches.source
    assert not table.switches.names & table.several_values.names
    assert [canonical(group[0]) for group in table.spellings.groups] == [group[0] for group in table.spellings.groups]
