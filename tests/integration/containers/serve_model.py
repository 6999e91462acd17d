"""Put into the model server's image: serves a GGUF file until SIGTERM, as `vllm serve` would serve a checkpoint."""

import argparse
import signal
import sys
import threading
from pathlib import Path

import xllamacpp


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-model-name", required=True)
    options = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    params = xllamacpp.CommonParams()
    params.model.path = str(options.weights)
    params.model_alias = {options.served_model_name}
    params.port = options.port
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 8192, 4, 1
    params.verbosity, params.ui = 1, False
    server = xllamacpp.Server(params)
    print(f"Serving {options.served_model_name} at {server.listening_address}", flush=True)
    stopped.wait()
    sys.exit(0)


main()
