"""`quantgate install-skill`: what it copies, what it leaves alone, and what it takes away again."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from quantgate import shipped
from quantgate.errors import StorageError
from quantgate.install import planning, record, writing
from tests.install.conftest import Run, tree
from tests.requirements import require

SKILLS = {
    ("claude", "user"): ".claude/skills",
    ("claude", "project"): "project/.claude/skills",
    ("codex", "user"): ".agents/skills",
    ("codex", "project"): "project/.agents/skills",
    ("cursor", "user"): ".cursor/skills",
    ("cursor", "project"): "project/.cursor/skills",
    ("vscode", "user"): ".copilot/skills",
    ("vscode", "project"): "project/.github/skills",
}
_RELATIVE = re.compile(r"`((?:\.\./)?[a-z_\-]+(?:/[A-Za-z0-9_.\-]+)*/[A-Za-z0-9_.\-]+\.(?:md|yaml|example))`")


def _link(place: Path, to: Path, *, folder: bool = False) -> None:
    try:
        place.symlink_to(to, target_is_directory=folder)
    except OSError as error:
        require(False, f"no links here: {error}")


@pytest.mark.parametrize(("client", "scope"), SKILLS, ids="-".join)
def test_each_client_gets_every_skill_where_it_reads_skills(
    quantgate: Run, home: Path, client: str, scope: str
) -> None:
    assert quantgate("install-skill", "--client", client, "--scope", scope).code == 0
    folder = home / SKILLS[client, scope]
    source = shipped.root() / "skills"
    for skill in (path.parent.name for path in source.glob("*/SKILL.md")):
        assert (folder / skill / "SKILL.md").read_bytes() == (source / skill / "SKILL.md").read_bytes()
    assert {path.name for path in folder.glob("[a-z]*")} == {path.parent.name for path in source.glob("*/SKILL.md")}


def test_a_plain_folder_gets_the_skills_and_no_server(quantgate: Run, home: Path) -> None:
    answer = quantgate("install-skill", "--client", "./somewhere/skills")
    assert answer.code == 0
    assert "The server is started by" in answer.out
    assert (home / "project/somewhere/skills/evaluation/SKILL.md").is_file()
    assert not [path for path in tree(home) if path.endswith("mcp.json")]


def test_every_document_that_an_installed_skill_names_is_installed(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "claude")
    folder = home / ".claude" / "skills"
    named = [
        (document, target)
        for document in folder.glob("*/*.md")
        for target in _RELATIVE.findall(document.read_text(encoding="utf-8"))
        if target.startswith(("references/", "recipes/", "../"))
    ]
    assert len(named) > 10
    for document, target in named:
        assert (document.parent / target).resolve().is_file(), f"{document}: {target}"


def test_a_second_run_finds_nothing_to_do_and_writes_nothing(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "cursor")
    times = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    answer = quantgate("install-skill", "--client", "cursor")
    assert answer.code == 0
    assert "Nothing to do" in answer.out
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == times


def test_a_dry_run_says_all_and_changes_nothing(quantgate: Run, home: Path) -> None:
    before = tree(home)
    answer = quantgate("install-skill", "--client", "codex", "--dry-run")
    assert answer.code == 0
    assert "evaluation: " in answer.out
    assert "[mcp_servers.quantgate]" in answer.out
    assert tree(home) == before
    quantgate("install-skill", "--client", "codex")
    before = tree(home)
    assert "remove" in quantgate("install-skill", "--client", "codex", "--uninstall", "--dry-run").out
    assert tree(home) == before


def test_a_file_that_the_user_changed_is_shown_and_left(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "claude")
    skill = home / ".claude/skills/common/SKILL.md"
    mine = skill.read_text(encoding="utf-8") + "\nAsk my colleague first.\n"
    skill.write_text(mine, encoding="utf-8")
    answer = quantgate("install-skill", "--client", "claude")
    assert answer.code == 1
    assert "-Ask my colleague first." in answer.out
    assert "Left as you have it: common/SKILL.md" in answer.out
    assert skill.read_text(encoding="utf-8") == mine
    assert quantgate("install-skill", "--client", "claude", "--yes").code == 0
    assert "Ask my colleague" not in skill.read_text(encoding="utf-8")
    assert quantgate("install-skill", "--client", "claude").code == 0


def test_a_yes_on_the_terminal_overwrites_and_a_no_does_not(
    quantgate: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantgate("install-skill", "--client", "claude")
    skill = home / ".claude/skills/common/SKILL.md"
    for reply, code in (("n", 1), ("y", 0)):
        skill.write_text("mine", encoding="utf-8")
        asked: list[str] = []

        def said(question: str, reply: str = reply, asked: list[str] = asked) -> str:
            asked.append(question)
            return reply

        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", said)
        assert quantgate("install-skill", "--client", "claude").code == code
        assert asked == ["Overwrite common/SKILL.md? [y/N] "]
        assert (skill.read_text(encoding="utf-8") == "mine") is (code == 1)


def test_a_file_of_the_same_name_that_was_never_installed_is_not_overwritten_unasked(
    quantgate: Run, home: Path
) -> None:
    other = home / ".claude/skills/evaluation/SKILL.md"
    other.parent.mkdir(parents=True)
    other.write_text("somebody else's skill", encoding="utf-8")
    assert quantgate("install-skill", "--client", "claude").code == 1
    assert other.read_text(encoding="utf-8") == "somebody else's skill"
    assert quantgate("install-skill", "--client", "claude", "--uninstall").code == 0
    assert other.read_text(encoding="utf-8") == "somebody else's skill"


def test_a_new_version_renews_what_is_unchanged_and_removes_what_no_longer_ships(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "claude")
    folder = home / ".claude" / "skills"
    old = folder / "monitor-old" / "SKILL.md"
    old.parent.mkdir()
    old.write_bytes(b"of an older version")
    common = folder / "common" / "SKILL.md"
    common.write_bytes(b"as the older version had it")
    told = json.loads((folder / record.NAME).read_text(encoding="utf-8"))
    told["files"]["monitor-old/SKILL.md"] = record.digest(old.read_bytes())
    told["files"]["common/SKILL.md"] = record.digest(common.read_bytes())
    (folder / record.NAME).write_text(json.dumps(told), encoding="utf-8")
    answer = quantgate("install-skill", "--client", "claude")
    assert answer.code == 0
    assert re.search(r"update +common: 1 file", answer.out)
    assert re.search(r"remove +monitor-old: 1 file", answer.out)
    assert common.read_bytes() == (shipped.root() / "skills/common/SKILL.md").read_bytes()
    assert not old.parent.exists()


@pytest.mark.parametrize(("client", "scope"), SKILLS, ids="-".join)
def test_uninstalling_leaves_the_home_as_it_was(quantgate: Run, home: Path, client: str, scope: str) -> None:
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").write_text("{}", encoding="utf-8")
    before = tree(home)
    quantgate("install-skill", "--client", client, "--scope", scope)
    assert tree(home) != before
    assert quantgate("install-skill", "--client", client, "--scope", scope, "--uninstall").code == 0
    assert tree(home) == before
    again = quantgate("install-skill", "--client", client, "--scope", scope, "--uninstall")
    assert "Nothing to do" in again.out


def test_uninstalling_keeps_and_names_what_was_changed_or_added(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "claude")
    folder = home / ".claude" / "skills"
    (folder / "common" / "SKILL.md").write_text("mine", encoding="utf-8")
    (folder / "evaluation" / "notes.md").write_text("also mine", encoding="utf-8")
    assert quantgate("install-skill", "--client", "claude").code == 1  # left as it is, and still known as ours
    answer = quantgate("install-skill", "--client", "claude", "--uninstall")
    assert "kept      common/SKILL.md: you changed it" in answer.out
    files = {name for name, content in tree(folder).items() if content is not None}
    assert files == {"common/SKILL.md", "evaluation/notes.md"}


def test_a_link_in_the_place_of_a_skill_is_refused_and_nothing_is_written(quantgate: Run, home: Path) -> None:
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    (home / ".claude/skills").mkdir(parents=True)
    _link(home / ".claude/skills/common", elsewhere, folder=True)
    before = tree(home)
    answer = quantgate("install-skill", "--client", "claude", "--yes")
    assert answer.code == 2
    assert ".claude/skills/common" in answer.err.replace("\\", "/")
    assert "A link stands where" in answer.err
    assert tree(home) == before


def test_the_users_own_link_to_the_whole_folder_is_followed_but_not_in_a_project(quantgate: Run, home: Path) -> None:
    kept = home / "dotfiles" / "skills"
    kept.mkdir(parents=True)
    for base in (home / ".claude", home / "project" / ".claude"):
        base.mkdir()
        _link(base / "skills", kept, folder=True)
    assert quantgate("install-skill", "--client", "claude", "--scope", "project").code == 2
    assert not list(kept.iterdir())
    assert quantgate("install-skill", "--client", "claude").code == 0
    assert (kept / "evaluation" / "SKILL.md").is_file()


@pytest.mark.parametrize("place", [".claude", ".claude/skills", ".claude/skills/evaluation"])
def test_a_file_where_a_folder_belongs_is_named_and_nothing_is_written(quantgate: Run, home: Path, place: str) -> None:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file", encoding="utf-8")
    before = tree(home)
    answer = quantgate("install-skill", "--client", "claude")
    assert answer.code == 2
    assert "stands where a folder belongs" in answer.err
    assert path.name in answer.err
    assert tree(home) == before


def test_a_folder_where_a_file_belongs_is_named_and_nothing_is_written(quantgate: Run, home: Path) -> None:
    (home / ".claude/skills/evaluation/SKILL.md").mkdir(parents=True)
    before = tree(home)
    answer = quantgate("install-skill", "--client", "claude", "--yes")
    assert answer.code == 2
    assert "SKILL.md" in answer.err
    assert tree(home) == before


def test_when_one_file_cannot_be_written_the_others_are_as_before(tmp_path: Path) -> None:
    first, second, last = tmp_path / "first", tmp_path / "second", tmp_path / "new" / "last"
    first.write_text("before", encoding="utf-8")
    (second / "a folder").mkdir(parents=True)
    before = tree(tmp_path)
    changes = [writing.Change(path, b"after", tmp_path) for path in (first, second, last)]
    with pytest.raises(StorageError, match="nothing was changed"):
        writing.apply(changes)
    assert tree(tmp_path) == before


def test_a_folder_that_may_not_be_written_to_is_a_clear_error(tmp_path: Path) -> None:
    require(hasattr(os, "geteuid"), "a system with users' ids")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    closed.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may write anywhere; as nobody the mode counts
    try:
        with pytest.raises(StorageError, match=r"(?i)permission denied.*nothing was changed"):
            writing.apply([writing.Change(closed / "evaluation" / "SKILL.md", b"text", closed)])
    finally:
        if root:
            os.seteuid(0)
    assert tree(closed) == {}


def test_a_replaced_file_keeps_its_mode_and_a_new_one_gets_the_usual(tmp_path: Path) -> None:
    require(os.sep == "/", "modes of files")
    private, shared, new, usual = (tmp_path / name for name in ("private", "shared", "new", "usual"))
    for path, mode in ((private, 0o600), (shared, 0o664)):
        path.write_text("old", encoding="utf-8")
        path.chmod(mode)
    usual.write_text("made by anybody", encoding="utf-8")
    writing.apply([writing.Change(path, b"new", tmp_path) for path in (private, shared, new)])
    modes = [path.stat().st_mode & 0o777 for path in (private, shared, new)]
    assert modes == [0o600, 0o664, usual.stat().st_mode & 0o777]
    assert private.read_bytes() == b"new"


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"format": 2, "quantgate": "9", "files": {}, "server": null, "folders_made": 0}',
        '{"format": 1, "quantgate": "1", "files": {"../../.bashrc": "00"}, "server": null, "folders_made": 0}',
        '{"format": 1, "quantgate": "1", "files": {"/etc/passwd": "00"}, "server": null, "folders_made": 0}',
        '{"format": 1, "quantgate": "1", "files": [], "server": null, "folders_made": 0}',
    ],
)
def test_a_record_that_we_did_not_write_removes_nothing(quantgate: Run, home: Path, text: str) -> None:
    folder = home / ".claude" / "skills"
    folder.mkdir(parents=True)
    (folder / record.NAME).write_text(text, encoding="utf-8")
    (home / ".bashrc").write_text("mine", encoding="utf-8")
    before = tree(home)
    answer = quantgate("install-skill", "--client", "claude", "--uninstall")
    assert answer.code == 2
    assert "record of what was installed cannot be read" in answer.err
    assert tree(home) == before


@pytest.mark.parametrize("place", ["a/" + "b" * 5000, "~nobody-of-that-name/skills", "/proc/1/nothing/skills"])
def test_a_folder_that_cannot_be_is_one_line_and_no_traceback(quantgate: Run, home: Path, place: str) -> None:
    answer = quantgate("install-skill", "--client", place)
    if answer.code == 0:  # a tilde without such a user is an ordinary name
        assert (home / "project" / place / "evaluation" / "SKILL.md").is_file()
        return
    assert answer.code in {1, 2}
    assert "Traceback" not in answer.err
    assert answer.err.count("\n") == 1


def test_an_interrupted_installation_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [tmp_path / "new" / name for name in "abc"]
    replace, calls = Path.replace, []

    def interrupted(self: Path, to: Path) -> Path:
        calls.append(to)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return replace(self, to)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writing.apply([writing.Change(place, b"text", tmp_path) for place in places])
    assert tree(tmp_path) == {}


def test_a_long_file_of_the_users_is_not_compared_line_by_line(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "claude")
    (home / ".claude/skills/common/SKILL.md").write_text("x\n" * 400_000, encoding="utf-8")
    answer = quantgate("install-skill", "--client", "claude")
    assert "yours has 800000 bytes" in answer.out
    assert len(answer.out) < 5000


def test_a_client_that_is_misspelt_makes_no_folder_of_that_name(quantgate: Run, home: Path) -> None:
    answer = quantgate("install-skill", "--client", "claud")
    assert answer.code == 2
    assert "claude, codex, cursor, vscode" in answer.err
    assert tree(home) == {"project": None}


def test_what_a_changed_file_hides_from_the_eye_is_written_out_and_a_key_in_it_is_masked(
    quantgate: Run, home: Path
) -> None:
    quantgate("install-skill", "--client", "claude")
    skill = home / ".claude/skills/common/SKILL.md"
    skill.write_text("\x1b[2Jcleared\nHF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz\n", encoding="utf-8")
    shown = quantgate("install-skill", "--client", "claude").out
    assert "\x1b" not in shown
    assert r"\x1b[2Jcleared" in shown
    assert "hf_abcdefghij" not in shown


def test_no_hidden_or_compiled_file_is_among_what_ships() -> None:
    names = planning.shipped_files()
    assert "evaluation/SKILL.md" in names
    assert "evaluation/references/comparing-runs.md" in names
    assert not [name for name in names if "/." in name or "__" in name]
