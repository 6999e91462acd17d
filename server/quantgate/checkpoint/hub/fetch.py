"""A model on the hub, known by its config files and the headers of its safetensors files: no weight is downloaded.

Two kinds of request (huggingface_hub 2.4.0, hf_api.py): `/api/models/<handle>?blobs=true` for the commit and all files with
their sizes, and `/<handle>/resolve/<commit>/<file>`, of weight files only the first bytes by a range.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from urllib.parse import quote

from ...errors import CheckpointError, StorageError
from ..headers.safetensors import MAX_HEADER_BYTES
from .client import HubClient, HubUnavailable, Limits
from .copy import HEADER_SUFFIX, HubCopy, Staging, find
from .listing import Listing, read_listing, refuse_other_kinds, wanted_configs
from .settings import endpoint, is_offline, shown

MAX_ANSWER_BYTES = 32 * 1024 * 1024


def fetch(handle: str, *, tried: str, limits: Limits | None = None) -> tuple[HubCopy, str]:
    """The newest commit of a model, from the kept copy when that is it, and a note on where it comes from.

    Args:
        handle: `org/name`.
        tried: Where it was looked for before, for messages.
        limits: Seconds and bytes; the usual ones by default.

    Raises:
        CheckpointError: It does not exist, is not given to this user, is no Transformers checkpoint, or the hub gives no
            answer and there is no kept copy.
        StorageError: The cache cannot be written.
    """
    address = endpoint()
    try:
        if is_offline():
            raise HubUnavailable("HF_HUB_OFFLINE is set, so the hub was not asked", where=handle)
        copy = _Job(handle, address, limits or Limits()).wait()
    except HubUnavailable as reason:
        kept = find(handle, shown(address))
        if kept is None:
            raise CheckpointError(
                f"{handle} is not on this machine, and the hub was of no help: {reason.what}",
                where=tried,
                fix="try again when the hub can be reached, download the model elsewhere and give its directory, or evaluate "
                "it by handle with values from its model card",
            ) from None
        return kept, f"{describe(kept)}; {reason.what}: this may not be the newest commit"
    return copy, describe(copy)


def describe(copy: HubCopy) -> str:
    """One sentence on a kept copy."""
    return (
        f"config files and safetensors headers of commit {copy.commit[:12]} of {copy.handle}, read from "
        f"{copy.endpoint} on {copy.fetched}; its weights are not on this machine"
    )


class _Job:
    """One look at the hub in a thread of its own, so that not even a name look-up that hangs outlasts the deadline."""

    def __init__(self, handle: str, address: str, limits: Limits) -> None:
        self._handle, self._address, self._limits = handle, address, limits
        self._client = HubClient(address, handle, limits)
        self._done = threading.Event()
        self._outcome: HubCopy | BaseException | None = None

    def wait(self) -> HubCopy:
        threading.Thread(target=self._run, name="quantgate-hub", daemon=True).start()
        self._done.wait(self._limits.total_seconds + 0.5)
        self._client.close()
        if isinstance(self._outcome, HubCopy):
            return self._outcome
        if self._outcome is not None:
            raise self._outcome
        raise HubUnavailable(
            f"The hub {shown(self._address)} was not done after {self._limits.total_seconds:g} s", where=self._handle
        )

    def _run(self) -> None:
        try:
            self._outcome = self._look()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            self._outcome = error
        finally:
            self._done.set()

    def _look(self) -> HubCopy:
        path = f"/api/models/{quote(self._handle)}?blobs=true"
        listing = read_listing(self._client.read(path, MAX_ANSWER_BYTES), self._handle)
        if kept := find(self._handle, shown(self._address), listing.commit):
            return kept
        refuse_other_kinds(listing, self._handle, shown(self._address))
        with Staging(self._handle) as staging:
            self._fill(staging, listing)
            staging.publish(
                {
                    "handle": self._handle,
                    "endpoint": shown(self._address),
                    "commit": listing.commit,
                    "fetched": datetime.now(UTC).date().isoformat(),
                    "unread": listing.unread,
                    "files": dict(listing.files),
                }
            )
        copy = find(self._handle, shown(self._address), listing.commit)
        if copy is None:
            raise StorageError("What was read from the hub was not kept", where=self._handle, fix="call again")
        return copy

    def _fill(self, staging: Staging, listing: Listing) -> None:
        budget = _Budget(self._handle, self._limits)
        configs = wanted_configs(listing.files)
        budget.take_config(sum(listing.files[name] for name in configs))
        base = f"/{quote(self._handle)}/resolve/{listing.commit}/"

        def config(name: str) -> None:
            data = self._client.read(base + quote(name), listing.files[name])
            if len(data) != listing.files[name]:
                raise _broken(
                    self._client, name, f"came with {len(data)} bytes, not the {listing.files[name]} of the list"
                )
            staging.write(name, data)

        def header(name: str) -> None:
            data = _header(self._client, base + quote(name), listing.files[name], budget)
            staging.write(name + HEADER_SUFFIX, data)

        with ThreadPoolExecutor(self._limits.workers, thread_name_prefix="quantgate-hub") as pool:
            work: list[Future[None]] = [pool.submit(config, name) for name in configs]
            work += [pool.submit(header, n) for n in sorted(listing.files) if n.endswith(".safetensors")]
            done, waiting = wait(work, return_when=FIRST_EXCEPTION)
            for future in waiting:
                future.cancel()
            for future in done:
                future.result()


class _Budget:
    """Bytes that may still be read, shared by all workers."""

    def __init__(self, handle: str, limits: Limits) -> None:
        self._handle, self.first_bytes = handle, limits.first_bytes
        self._config, self._headers = limits.config_bytes, limits.header_bytes
        self._lock = threading.Lock()

    def take_config(self, size: int) -> None:
        if size > self._config:
            raise self._exceeded("config files", size, self._config)

    def take_header(self, size: int) -> None:
        with self._lock:
            self._headers -= size
            if self._headers < 0:
                raise self._exceeded("headers", -self._headers, 0)

    def _exceeded(self, what: str, size: int, limit: int) -> CheckpointError:
        return CheckpointError(
            f"The {what} of {self._handle} are {size - limit} bytes larger than what is read from the hub",
            where=self._handle,
            fix="download the model and give its directory",
        )


def _header(client: HubClient, path: str, size: int, budget: _Budget) -> bytes:
    """The first 8 + N bytes of a safetensors file; N stands in the first 8."""
    if size < 10:
        raise _broken(client, path, f"has {size} bytes, too few for a safetensors file")
    first = min(size, budget.first_bytes)
    budget.take_header(first)
    data = client.read_range(path, 0, first, size)
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= MAX_HEADER_BYTES:
        raise _broken(client, path, f"claims a header of {length} bytes; at most {MAX_HEADER_BYTES} are read")
    end = 8 + length
    if end > size:
        raise _broken(client, path, f"is cut short: its header has {length} bytes, the file {size}")
    if end > first:
        budget.take_header(end - first)
        data += client.read_range(path, first, end, size)
    return data[:end]


def _broken(client: HubClient, path: str, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path.rpartition('/')[2][:120]} of {client.handle} {what}",
        where=shown(client.address),
        fix="call again; if it stays so, ask its publisher for a whole file",
    )
