"""What a cluster answers: the scheduler's words, listings, and the JSON of its python3. The file's name says whose answer it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import bundle
from ..watching import foreseen
from .target import Target

S = "\x1f"
ROOT = "/r/20261121_120000-5f3c9a1e7b2d4860"
TASK = f"{ROOT}/ifbench.ifbench.0"


class Answering:
    """Stands for a connection to a cluster that answers every command with one text."""

    host = "login"

    def __init__(self, out: str) -> None:
        self._out = out

    def run(self, *_: Any, **__: Any) -> Any:
        from quantgate.cluster.exchange import Done

        return Done(0, self._out, "")


def _look(text: str) -> object:
    from quantgate.cluster import scheduler
    from quantgate.cluster.look_directories import Directory
    from quantgate.runs.slurm import slurm_state

    seen = scheduler.look(Answering(text), [TASK], ["812"])  # type: ignore[arg-type]
    places = {TASK: Directory(TASK, exists=True, script=True), **seen.directories}
    return [slurm_state.judge(place, seen, ["812"]) for place in places.values()]


def _status(text: str) -> object:
    from quantgate.cluster import scheduler
    from quantgate.runs.clusters import looking, remote_status
    from quantgate.runs.clusters.remote import RemoteRun, RemoteTask

    real = looking.look
    looking.look = lambda _: scheduler.parse(text)
    try:
        return remote_status.see(RemoteRun("login", ROOT, (RemoteTask(TASK, "812"),)), {"ifbench.ifbench.0": 300})
    finally:
        looking.look = real


def _preflight(text: str) -> object:
    from quantgate.cluster import preflight

    return preflight.look(Answering(text), [("directory", "/shared/models"), ("file", "/shared/x")])  # type: ignore[arg-type,list-item]


def _folder(text: str) -> object:
    from quantgate.cluster import folder

    return folder.list_folder(Answering(text), "/models/x")  # type: ignore[arg-type]


def _listing(text: str) -> object:
    from quantgate.cluster import listing

    return listing.list_run(Answering(text), ROOT, "", ["results.yml"])  # type: ignore[arg-type]


def _launches(text: str) -> object:
    from quantgate.cluster import launches

    return launches.search(Answering(text), {"4f0c9d2e11aa22bb": "/out"})  # type: ignore[arg-type]


def _control(text: str) -> object:
    from quantgate.cluster import control

    ended = control.cancel(Answering(text), ROOT)  # type: ignore[arg-type]
    return ended, ended.left, ended.cancelled, control.resubmit(Answering(text), ROOT, ["ifbench.ifbench.0"])  # type: ignore[arg-type]


def _squash(text: str) -> object:
    from quantgate.cluster import squash_import

    running = squash_import.begin(
        Answering(text), "i:1", "docker://i:1", "/s/i.sqsh", squash_import.Allocation("a", "p", "1:00:00")
    )  # type: ignore[arg-type]
    return squash_import.until_done(Answering(text), running, seconds=0, sleep=lambda _: None)  # type: ignore[arg-type]


def _with_link(module: Any, text: str, call: Callable[[], object]) -> object:
    real = module.connection
    module.connection = lambda _: Answering(text)
    try:
        return call()
    finally:
        module.connection = real


def _scan(text: str) -> object:
    from quantgate.runs.clusters import remote_scan
    from quantgate.runs.clusters.remote import RemoteRun

    return _with_link(remote_scan, text, lambda: remote_scan.scan_remote(RemoteRun("login", ROOT), ""))


def _pages(text: str) -> object:
    from quantgate.runs.clusters import remote_logs
    from quantgate.runs.clusters.remote import RemoteRun

    asked = {"task": "", "source": "all", "file": "", "lines": 50, "before": 0, "most": 8}
    return _with_link(remote_logs, text, lambda: remote_logs.read_pages(RemoteRun("login", ROOT), **asked))  # type: ignore[arg-type]


def _without_python(text: str) -> object:
    from quantgate.runs.clusters import remote_scan
    from quantgate.runs.scanning import scan

    return scan.report(remote_scan._told(text))


def _ssh(text: str) -> object:
    from quantgate.cluster import ssh_settings

    return ssh_settings._settings("login", text)


def _hub(text: str) -> object:
    from quantgate.checkpoint.hub import listing

    found = listing.read_listing(text.encode("utf-8", "surrogatepass"), "org/model")
    listing.refuse_other_kinds(found, "org/model", "https://huggingface.co")
    return listing.wanted_configs(found.files)


ANSWERS: dict[str, Callable[[str], object]] = {
    "look": _look, "status": _status, "preflight": _preflight, "folder": _folder, "listing": _listing, "launches": _launches,
    "control": _control, "squash": _squash, "scan.json": _scan, "pages.json": _pages, "without_python": _without_python,
    "ssh": _ssh, "hub.json": _hub,
}  # fmt: skip


def _call(data: bytes, room: Path) -> None:
    for name, content in bundle.unpacked(data).items():
        if name in ANSWERS:
            text = content.decode("utf-8", "replace")
            foreseen(lambda name=name, text=text: ANSWERS[name](text))  # type: ignore[misc]


def _lines(*rows: str) -> bytes:
    return "\n".join(rows).encode() + b"\n"


def _seeds() -> dict[str, bytes]:
    queued = S.join(
        [
            "812",
            "RUNNING",
            "None",
            "(null)",
            "quantgate:5f3c9a1e7b2d4860",
            "5",
            "1",
            "n",
            f"{TASK}/run.sub",
            f"{TASK}/logs/slurm-%A.log",
            "me",
        ]
    )
    ended = S.join(
        [
            "811",
            "811",
            "CANCELLED by 1001",
            "0:15",
            "None",
            "5",
            "6",
            "9",
            "3",
            "60",
            "research-nel.ifbench.ifbench.0",
            "me",
        ]
    )
    timeout = S.join(
        ["810", "810", "TIMEOUT", "0:0", "None", "5", "6", "9", "3", "60", "research-nel.ifbench.ifbench.0", "me"]
    )
    look = _lines(
        "@clock 1000 7 me", f"@directory {TASK}", "@has artifacts/results.yml", "@has run.sub", "@chains",
        f"@file {TASK}/.slurm_job_id.list", "810", "811", "@changes", f"990.5 {TASK}/logs/x.log", "@contents",
        f"@file {TASK}/artifacts/progress", "7", f"@file {TASK}/.accumulated_walltime", "60", "@said",
        f"{TASK}/logs/slurm-811.log:slurmstepd: error: *** JOB 811 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***",
        "@accounting", ended, timeout, "@code 0", "@users", "alex:1001", "@answers", f"12 990 {TASK}", "@queue", queued,
        "@code 0", "@end",
    )  # fmt: skip
    preflight = _lines(
        "@clock 1795281771 1000 me", "@path 0 directory rw /shared/models", "@path 1 absent w- /shared", "@free 1024", "@inodes 7",
        "@program rsync", "@registries open", "@registry nvcr.io", "@controller", "ClusterName = alpha", "SLURM_VERSION = 23.02.7",
        "AccountingStorageEnforce = associations,limits", "@code 0", "@nodes",
        S.join(["gpu", "up", "1-04:00:00", "30", "gpu:h100:8(S:0-1),nvme:2", "mix"]), "@code 0", "@partitions",
        "PartitionName=gpu AllowAccounts=one,two State=UP", "@code 0", "@associations", "alpha|one|gpu|1-00:00:00", "@code 0",
        "@end",
    )  # fmt: skip
    folder = b"\0".join(
        [
            b"@root\t/models/x",
            b"file\t12\t1763740000.1234\tconfig.json",
            b"link\t3\t1.0\tmodel.safetensors",
            b"@code 0",
            b"@end",
        ]
    )
    listing = b"\0".join(
        [
            f"@root\t{ROOT}".encode(),
            b"f\t12\t1763740000.123\t./t.0/artifacts/results.yml",
            b"d\t1\t1.0\t./t.0",
            b"@code 0",
            b"@end",
        ]
    )
    launches = _lines(
        "@clock 1000",
        "@launch 4f0c9d2e11aa22bb",
        "@listed",
        "@directory /out/x-4f0c9d2e11aa22bb",
        "@changed 990",
        "@ran 7",
        "@queue",
        f"812{S}quantgate:4f0c9d2e11aa22bb{S}/x/run.sub",
        "@code 0",
        "@end",
    )
    control = _lines(
        "@before\t812\tRUNNING\tifbench.ifbench.0\tNone",
        "@sent\tscancel\t812",
        "@after\t813\tPENDING\tifbench.ifbench.0\tPriority",
        "@refused\t812\tdenied",
        "@unmarked\t9",
        "@live\tifbench.ifbench.0",
        "@queued\tifbench.ifbench.0\t900",
        "@declined\tifbench.ifbench.0\t1\tInvalid account",
        "@note\tx",
        "@end",
    )
    squash = _lines("@queued\t812", "@state\tRUNNING", "@log\tstep 1", "@end")
    sample = {"file": "ifbench.ifbench.0/client.log", "line": 3, "text": "CUDA out of memory", "begins": 0}
    found = {
        "name": "cuda_oom",
        "earlier": False,
        "count": 2,
        "samples": [sample],
        "files": {"ifbench.ifbench.0/client.log": 2},
    }
    empty: dict[str, Any] = {name: [] for name in ("unreadable", "outside", "absent", "cut", "succeeded")}
    scan = empty | {
        "tasks": ["ifbench.ifbench.0"],
        "files": 1,
        "bytes": 90,
        "left_out": 0,
        "complaint": "",
        "benign": {"retry": 1},
        "classes": [found],
    }
    page = {
        "total": 4,
        "start": 0,
        "end": 4,
        "around": 0,
        "raw": "bGluZQ==",
        "task": "ifbench.ifbench.0",
        "file": "client.log",
    }
    pages = {
        "tasks": ["ifbench.ifbench.0"],
        "pages": [page],
        "outside": [],
        "unreadable": [],
        "roles": ["client"],
        "names": ["client.log"],
        "matched": [["ifbench.ifbench.0", "client.log"]],
        "count": 1,
    }
    plain = _lines(
        "@task\tifbench.ifbench.0",
        "@chain\t811 812",
        "@file\tifbench.ifbench.0/slurm-812.log\t90",
        "@count\tcuda_oom\t2",
        "@sample\tcuda_oom\t3\tCUDA out of memory",
        "@left_out\t2",
        "@end",
    )
    ssh = _lines(
        "hostname login.example",
        "port 22",
        "user me",
        "identityfile ~/.ssh/id_ed25519",
        "identitiesonly yes",
        "userknownhostsfile ~/.ssh/known_hosts",
        "proxyjump a@b:22,c",
        "identityagent SSH_AUTH_SOCK",
    )
    hub = {
        "sha": "a" * 40,
        "siblings": [
            {"rfilename": "config.json", "size": 7},
            {"rfilename": "model.safetensors", "size": 10**9, "lfs": {"size": 10**9}},
        ],
        "gated": False,
    }
    answers = {
        "look": look,
        "status": look,
        "preflight": preflight,
        "folder": folder,
        "listing": listing,
        "launches": launches,
    }
    answers |= {
        "control": control,
        "squash": squash,
        "scan.json": json.dumps(scan).encode(),
        "pages.json": json.dumps(pages).encode(),
    }
    answers |= {"without_python": plain, "ssh": ssh, "hub.json": json.dumps(hub).encode()}
    return {name.partition(".")[0]: bundle.packed({name: content}) for name, content in answers.items()}


def _prepare() -> None:
    for data in _seeds().values():
        _call(data, Path())


TARGET = Target("scheduler", _call, _seeds, seconds=3, prepare=_prepare)
