"""`vllm serve CHECKPOINT …`: the stand-in endpoint in the place of vLLM, inside a job. There is no GPU here.

Like vLLM it refuses a `--quantization` that differs from the checkpoint's record.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from . import endpoint

ACCURACY = {"gpqa": 0.52, "ifbench": 0.61, "mmlu-pro": 0.68}


def main() -> None:
    """Serve until the job ends."""
    parser = argparse.ArgumentParser(prog="vllm", allow_abbrev=False)
    parser.add_argument("verb", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--served-model-name")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-model-len", type=int, default=131072)
    parser.add_argument("--quantization", "-q", default="")
    given, _ = parser.parse_known_args()
    config = Path(given.model) / "config.json"
    if not config.is_file():
        sys.exit(f"OSError: {given.model} is not a local folder with a config.json, and the Hub cannot be reached")
    record = json.loads(config.read_text("utf-8")).get("quantization_config") or {}
    method = str(record.get("quant_method", ""))
    if given.quantization and given.quantization != method:
        sys.exit(
            f"ValueError: Quantization method specified in the model config ({method}) does not match the quantization "
            f"method specified in the `quantization` argument ({given.quantization})."
        )
    settings = {
        "port": given.port,
        "model": given.served_model_name or given.model,
        "max_model_len": given.max_model_len,
        "accuracy": ACCURACY,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(settings, file)
        file.flush()
        sys.argv[1:] = [file.name]
        sys.stdout.write("INFO: Application startup complete.\n")
        sys.stdout.flush()
        endpoint.main()


if __name__ == "__main__":
    main()
