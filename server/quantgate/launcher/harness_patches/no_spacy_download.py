"""Makes spaCy's model download do nothing in the environment of a harness.

ifbench 26.3 calls `spacy.cli.download('en_core_web_sm')` while it is imported and never uses the model; without the internet
that call ends the process. Started by a .pth file; must not import anything heavy.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder


class _SkipDownload(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != "spacy.cli":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_patch(module):
            execute(module)
            module.download = lambda *args, **kwargs: None

        spec.loader.exec_module = execute_and_patch
        return spec


sys.meta_path.insert(0, _SkipDownload())
