"""Makes spaCy's model download do nothing in the environment of a harness.

ifbench 26.3 calls `spacy.cli.download('en_core_web_sm')` while it is imported and never uses the model; without the internet
that call ends the process. Started by a .pth file; must not import anything heavy.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any


class _SkipDownload(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002 - the importer's protocol
        if name != "spacy.cli":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_patch(module: Any) -> None:
            execute(module)
            module.download = lambda *_args, **_kwargs: None

        spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]

        return spec


sys.meta_path.insert(0, _SkipDownload())
