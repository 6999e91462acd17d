"""One entry put into a text and taken out again: nothing else of the text changes."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantgate.install import jsonc, toml_entry

ENTRY = {"command": "/opt/a b/quantgate", "args": ["serve"]}
WINDOWS_ENTRY = {"command": "C:\\Programs\\quantgate.exe", "args": ["serve", 'a "quoted" one']}

JSON_TEXTS = {
    "with comments": """{
  // what the team uses
  "mcpServers": {
    "other": { "command": "other" } // keep
    /* nothing more */
  },
  "theme": "dark"
}
""",
    "trailing commas": '{\n\t"mcpServers": {\n\t\t"other": {"command": "x",},\n\t},\n}\n',
    "windows line ends": '{\r\n    "mcpServers": {\r\n        "other": {}\r\n    }\r\n}\r\n',
    "byte order mark": '\ufeff{"mcpServers": {"other": {}}}',
    "one line": '{"a": 1, "mcpServers": {"other": {"url": "http://x//y"}}, "b": [1, 2]}',
    "empty table": '{\n  "mcpServers": {}\n}\n',
    "spread empty table": '{\n  "mcpServers": {\n  }\n}',
    "comment in the empty table": '{\n  "mcpServers": {\n    // none yet\n  }\n}\n',
    "another order": '{"z": {"mcpServers": 1}, "mcpServers": {"quantgate2": {}}, "a": null}',
    "a brace in a string": '{"mcpServers": {"o": {"command": "} // \\" {"}}}',
}


COMMENTS = ["// what the team uses", "// keep", "/* nothing more */", "// none yet"]


def _plain(text: str) -> Any:
    return jsonc.parse(text).value


@pytest.mark.parametrize("text", JSON_TEXTS.values(), ids=JSON_TEXTS)
@pytest.mark.parametrize("entry", [ENTRY, WINDOWS_ENTRY], ids=["posix", "windows"])
def test_an_entry_is_added_and_everything_else_stays(text: str, entry: dict[str, Any]) -> None:
    added = jsonc.with_entry(text, "mcpServers", "quantgate", entry)
    expected = _plain(text)
    expected["mcpServers"]["quantgate"] = entry
    assert _plain(added) == expected
    assert list(_plain(added)) == list(_plain(text))
    for comment in COMMENTS:
        assert (comment in added) is (comment in text)
    assert ("\r\n" in text) == ("\r\n" in added)


@pytest.mark.parametrize(
    "name", [name for name in JSON_TEXTS if name not in {"spread empty table", "comment in the empty table"}]
)
def test_taking_the_entry_out_again_gives_the_text_as_it_was(name: str) -> None:
    text = JSON_TEXTS[name]
    added = jsonc.with_entry(text, "mcpServers", "quantgate", ENTRY)
    assert jsonc.without_entry(added, "mcpServers", "quantgate") == text


def test_a_comment_in_an_otherwise_empty_table_survives_both_ways() -> None:
    text = JSON_TEXTS["comment in the empty table"]
    added = jsonc.with_entry(text, "mcpServers", "quantgate", ENTRY)
    assert "// none yet" in added
    assert "// none yet" in jsonc.without_entry(added, "mcpServers", "quantgate")


def test_a_table_that_was_made_for_the_entry_goes_with_it() -> None:
    text = '{\n  "theme": "dark"\n}\n'
    added = jsonc.with_entry(text, "servers", "quantgate", ENTRY)
    assert _plain(added) == {"theme": "dark", "servers": {"quantgate": ENTRY}}
    assert jsonc.without_entry(added, "servers", "quantgate", table_too=True) == text


def test_an_entry_between_others_is_cut_out_with_its_line() -> None:
    text = '{"mcpServers": {\n  "a": 1,\n  "quantgate": {"command": "x"},\n  "b": 2 // last\n}}'
    assert jsonc.without_entry(text, "mcpServers", "quantgate") == '{"mcpServers": {\n  "a": 1,\n  "b": 2 // last\n}}'


def test_an_entry_that_is_there_is_replaced_in_its_place() -> None:
    text = '{"mcpServers": {\n  "quantgate": {"command": "old"}, // mine\n  "b": 2\n}}'
    changed = jsonc.with_entry(text, "mcpServers", "quantgate", ENTRY)
    assert _plain(changed) == {"mcpServers": {"quantgate": ENTRY, "b": 2}}
    assert changed.index("// mine") < changed.index('"b": 2')


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_SERVERS = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "quantgate"), _VALUES, max_size=3)


@settings(deadline=None)
@given(
    _SERVERS,
    st.dictionaries(st.text(max_size=6).filter("servers".__ne__), _VALUES, max_size=3),
    st.sampled_from([None, 2, "\t"]),
)
def test_any_json_is_the_same_after_adding_and_taking_out(
    servers: dict[str, Any], rest: dict[str, Any], indent: int | str | None
) -> None:
    text = json.dumps({**rest, "servers": servers}, indent=indent)
    assert _plain(text) == json.loads(text)
    added = jsonc.with_entry(text, "servers", "quantgate", ENTRY)
    assert json.loads(added) == {**rest, "servers": {**servers, "quantgate": ENTRY}}
    assert jsonc.without_entry(added, "servers", "quantgate") == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: a value is expected"),
        ('{\n"a": 1\n"b": 2}', "line 3: a key in quotes, a comma"),
        ('{"a": 1} {"b": 2}', "more text after"),
        ('{\n\n"a": tru}', "line 3: a value"),
        ('{"a": 01}', "not a number"),
        ('{"a": "x', "a string that does not end"),
        ('{"a": 1, "a": 2}', "stands here twice"),
        ("[1 2]", "a comma or ]"),
        ("{'a': 1}", "a key in quotes"),
        ('{"a": /* no end', "a value is expected"),
        ("[" * 200, "nested deeper"),
        ('{"a"', "a colon"),
        ("{", "a key in quotes"),
    ],
)
def test_what_is_no_json_is_named_with_its_line(text: str, told: str) -> None:
    with pytest.raises(jsonc.NotJson, match=told.replace("]", r"\]")):
        jsonc.parse(text)


@pytest.mark.parametrize("text", ["[]", '"x"', '{"servers": []}', '{"servers": null}'])
def test_an_entry_is_not_forced_into_something_else(text: str) -> None:
    with pytest.raises(jsonc.NotJson, match=r"not a JSON object|not an object"):
        jsonc.with_entry(text, "servers", "quantgate", ENTRY)


TOML_TEXTS = {
    "empty": "",
    "settings only": '# mine\nmodel = "x" # note\n',
    "without a last line end": 'model = "x"',
    "another server": '[mcp_servers.other]\ncommand = "o"\nargs = [\n  "a",\n]\n\n[tui]\ntheme = "dark"\n',
    "windows line ends": 'model = "x"\r\n\r\n[tui]\r\na = 1\r\n',
}


@pytest.mark.parametrize("text", TOML_TEXTS.values(), ids=TOML_TEXTS)
@pytest.mark.parametrize("entry", [ENTRY, WINDOWS_ENTRY], ids=["posix", "windows"])
def test_a_table_is_added_at_the_end_and_taken_out_again(text: str, entry: dict[str, Any]) -> None:
    added = toml_entry.with_entry(text, "mcp_servers", "quantgate", entry)
    assert added.startswith(text)
    assert tomllib.loads(added.replace("\r\n", "\n"))["mcp_servers"]["quantgate"] == entry
    removed = toml_entry.without_entry(added, "mcp_servers", "quantgate")
    assert removed.rstrip("\r\n") == text.rstrip("\r\n")
    assert ("\r\n" in text) == ("\r\n" in added)


def test_a_table_in_the_middle_is_replaced_and_removed_without_the_comments_of_the_next_one() -> None:
    text = 'a = 1\n\n[mcp_servers.quantgate]\ncommand = "old"\n\n# of the next\n[tui]\nb = 2\n'
    changed = toml_entry.with_entry(text, "mcp_servers", "quantgate", ENTRY)
    assert tomllib.loads(changed) == {"a": 1, "mcp_servers": {"quantgate": ENTRY}, "tui": {"b": 2}}
    removed = toml_entry.without_entry(changed, "mcp_servers", "quantgate")
    assert removed == "a = 1\n\n# of the next\n[tui]\nb = 2\n"


@pytest.mark.parametrize(
    "text",
    [
        'mcp_servers = {other = {command = "x"}}\n',
        'mcp_servers = "x"\n',
        '[mcp_servers]\nquantgate = {command = "x"}\n',
        '[mcp_servers]\nquantgate.command = "x"\n',
    ],
)
def test_servers_in_a_form_that_a_table_cannot_be_added_to_are_left(text: str) -> None:
    tomllib.loads(text)
    with pytest.raises(toml_entry.NotToml):
        toml_entry.with_entry(text, "mcp_servers", "quantgate", ENTRY)


def test_what_is_no_toml_is_named_with_its_line() -> None:
    with pytest.raises(toml_entry.NotToml, match="line 2"):
        toml_entry.with_entry("a = 1\nb = \n", "mcp_servers", "quantgate", ENTRY)


def test_a_number_that_cannot_be_read_is_no_toml_either() -> None:
    with pytest.raises(toml_entry.NotToml, match="4300 digits"):
        toml_entry.with_entry(f"a = {'9' * 5000}\n", "mcp_servers", "quantgate", ENTRY)
