"""A config file as a document: strict reading, lines of keys, and a save that cannot leave half a file."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from . import atomic_file, bounds, paths

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, Node

MAX_BYTES = 2 * 1024 * 1024
MAX_LINES = 20_000
MAX_COMMAS = 50_000
"""Reading costs 25 microseconds a value: a list of a million would hold the server for half a minute."""
_BYTE_ORDER_MARK = "\ufeff"


def located(path: str | Path) -> Path:
    """The file that a caller names, with `~` written out.

    Raises:
        ConfigError: No file can have this name, or it begins with the home of nobody.
    """
    try:
        file = Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            "The config lies in the home of a user that this machine does not have",
            where=str(path)[:300],
            fix="give its absolute path",
        ) from None
    if "\0" in str(file):
        raise ConfigError(
            "The name of the config has a null byte", where=repr(str(file))[:300], fix="give a file's path"
        )
    return file


class ConfigDocument:
    """One config file. A document does not change: `surgery` makes a new one for each edit.

    Attributes:
        path: Where it was read from, and where `save` writes.
        text: Its text; line ends are "\\n" when the whole file used one kind.
        root: The YAML node tree, whose marks say where each value stands in `text`.
    """

    def __init__(
        self, path: Path, text: str, *, newline: str = "\n", on_disk: bytes | None = None, mark: str = ""
    ) -> None:
        self.path = path
        self.text = text
        self._newline = newline
        self._on_disk = on_disk
        self._mark = mark
        self.root = _compose_nodes(text, path)

    @classmethod
    def load(cls, path: str | Path) -> ConfigDocument:
        """Read a config.

        Raises:
            ConfigError: No such file, over 2 MB, not UTF-8, not YAML, a list at the top, duplicate keys, tabs as
                indentation, or aliases that expand beyond bounds; with the file and the line.
        """
        file = located(path)
        raw = _read_bytes(file)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise ConfigError("The config is not UTF-8 text", where=f"{file}:{line}", fix="save it as UTF-8") from None
        mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
        text = text.removeprefix(mark)
        lines = text.count("\n")
        if lines > MAX_LINES:
            raise ConfigError(f"The config has {lines} lines", where=str(file), fix=f"keep it under {MAX_LINES} lines")
        if text.count(",") > MAX_COMMAS:
            raise ConfigError(
                "The config has more values than any config has", where=str(file), fix="shorten its lists"
            )
        # A file with both kinds keeps them where they are; only its new lines get "\n".
        windows = lines > 0 and text.count("\r\n") == lines
        return cls(
            file,
            text.replace("\r\n", "\n") if windows else text,
            newline="\r\n" if windows else "\n",
            on_disk=raw,
            mark=mark,
        )

    def with_text(self, text: str) -> ConfigDocument:
        """The same file with another text, not yet saved.

        Raises:
            ConfigError: The text is not a valid config document.
        """
        return ConfigDocument(self.path, text, newline=self._newline, on_disk=self._on_disk, mark=self._mark)

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The parsed content as plain Python values."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        yaml = YAML(typ="safe", pure=True)
        try:
            # Merge keys are written into the nodes as they are read, and the nodes must stay as the text is.
            merges = "<<" in self.text or self.text.startswith("%")
            loaded: dict[str, Any] = yaml.load(self.text) if merges else yaml.constructor.construct_document(self.root)
        except (YAMLError, ValueError, TypeError, RecursionError) as error:
            raise _yaml_error(error, self.path, self.text) from None
        return loaded

    def get(self, dotted: str) -> Any:
        """The value at a dotted path, or None when it is not in the file.

        Raises:
            BadInput: `dotted` is not a path.
        """
        return paths.dig(self.plain, *paths.parse(dotted))

    def line_of(self, dotted: str) -> int:
        """The line, from 1, of a path or of its nearest ancestor in the file.

        A value that comes from NEL's packaged defaults is not in the file: then it is the line of `defaults`.
        """
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        segments = paths.parse(dotted) if dotted else ()
        node: Node = self.root
        line = 0
        for segment in segments:
            if isinstance(node, MappingNode):
                entry = next(((k, v) for k, v in node.value if k.value == str(segment)), None)
                if entry is None:
                    break
                line, node = entry[0].start_mark.line + 1, entry[1]
            elif isinstance(node, SequenceNode) and isinstance(segment, int) and segment < len(node.value):
                node = node.value[segment]
                line = node.start_mark.line + 1
            else:
                break
        if not line and segments != ("defaults",):
            return self.line_of("defaults")
        return line or 1

    def dumps(self) -> str:
        """The text as `save` writes it, with the file's own line ends and byte order mark."""
        return self._mark + (self.text.replace("\n", self._newline) if self._newline != "\n" else self.text)

    def save(self) -> None:
        """Write the text to `path` in one step: the file is the old one or the new one, never half of it.

        Raises:
            StorageError: It cannot be written, it is read-only, or it changed on disk after it was read.
        """
        encoded = self.dumps().encode("utf-8")
        atomic_file.replace(self.path, encoded, expected=self._on_disk)
        self._on_disk = encoded


def _read_bytes(file: Path) -> bytes:
    try:
        if not file.is_file():
            what = "is not a file" if file.exists() else "does not exist"
            raise ConfigError(
                f"The config {file} {what}", fix="give the path of a launcher config, or make one with build_config"
            )
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
            size = max(len(raw), os.fstat(opened.fileno()).st_size)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is none"
        raise ConfigError(
            f"Cannot read the config: {why}", where=str(file)[:300], fix="check its name and modes"
        ) from None
    if size > MAX_BYTES:
        raise ConfigError(
            f"The config is {size} bytes long, more than {MAX_BYTES}",
            where=str(file),
            fix="give a launcher config; a real one has a few hundred lines",
        )
    return raw


def _yaml_error(error: Exception, path: Path, source: str) -> ConfigError:
    """ruamel's error as ours: its first problem, with the file and the line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
    if isinstance(error, RecursionError):
        return ConfigError("The config is nested too deeply", where=where, fix="flatten it")
    problem = str(getattr(error, "problem", None) or error).strip().splitlines()
    text = problem[0][:200] if problem else type(error).__name__
    if "'\\t'" in text:
        return ConfigError("The config has a tab where YAML wants spaces", where=where, fix="indent with spaces")
    lines = source.split("\n")[mark.line : mark.line + 1] if mark is not None else []
    if "found '?'" in text and lines and "???" in lines[0]:
        what = "A gap (???) inside braces or brackets is not valid YAML"
        return ConfigError(what, where=where, fix="quote it: '???', or give the value")
    return ConfigError(f"The config is not valid YAML: {text}", where=where, fix="correct the YAML at this line")


def _compose_nodes(text: str, path: Path) -> MappingNode:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.nodes import MappingNode

    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        root = yaml.compose(text)
        if root is None:
            raise ConfigError("The config is empty", where=str(path), fix="make one with build_config")
        if not isinstance(root, MappingNode):
            kind = root.id if hasattr(root, "id") else "value"
            raise ConfigError(
                f"The config is a {kind} at the top, not a mapping",
                where=f"{path}:{root.start_mark.line + 1}",
                fix="begin with NEL's sections: defaults, execution, deployment, evaluation, target",
            )
        bounds.check(root, path)
    except (YAMLError, ValueError, RecursionError) as error:
        raise _yaml_error(error, path, text) from None
    return root
