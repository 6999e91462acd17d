"""Bounded requests to the Hugging Face hub: every answer has a limit in bytes and in seconds, and no weight is downloaded."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ... import __version__
from ...errors import CheckpointError
from ...redact import redact
from .settings import may_carry_a_token, shown, token

if TYPE_CHECKING:
    import httpx2

MAX_REDIRECTS = 5
_SMALL_BODY = 16 * 1024
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)\Z", re.ASCII)
_RESET = re.compile(r"\bt\s*=\s*(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class Limits:
    """What one look at the hub may cost.

    Attributes:
        total_seconds: For all requests together.
        request_seconds: To connect, and between two pieces of an answer.
        first_bytes: Asked of the start of each weight file; most headers are shorter.
        header_bytes: All headers together.
        config_bytes: All config files together.
        workers: Requests at the same time.
    """

    total_seconds: float = 60.0
    request_seconds: float = 10.0
    first_bytes: int = 128 * 1024
    header_bytes: int = 400_000_000
    config_bytes: int = 256 * 1024 * 1024
    workers: int = 8


class HubUnavailable(CheckpointError):
    """The hub gives no answer now (offline, unreachable, too slow, rate-limited, a server error): a kept copy may do."""


class HubClient:
    """Requests to one hub until a deadline.

    Args:
        address: From `endpoint`.
        handle: The model, for messages.
        limits: Seconds and bytes.
    """

    def __init__(self, address: str, handle: str, limits: Limits) -> None:
        import httpx2

        self.address = address
        self.handle = handle
        self.limits = limits
        self.token = token() if may_carry_a_token(address) else ""
        self._deadline = time.monotonic() + limits.total_seconds
        # Compressed answers are not asked for: their length would not be the file's, and they can be bombs.
        headers = {"Accept-Encoding": "identity", "User-Agent": f"quantgate/{__version__}"}
        connections = httpx2.Limits(max_connections=limits.workers)
        try:
            self._client = httpx2.Client(headers=headers, limits=connections, follow_redirects=False)
        except (
            ImportError,
            ValueError,
            OSError,
            httpx2.InvalidURL,
        ) as error:  # the environment's proxy or certificates
            raise self._silent(f"cannot be asked with this machine's settings ({_said(error)})") from None

    def close(self) -> None:
        """Close every connection; a request that is under way in another thread fails."""
        self._client.close()

    def read(self, path: str, limit: int) -> bytes:
        """The whole answer to a GET.

        Args:
            path: After the hub's address, already quoted.
            limit: Most bytes.

        Raises:
            HubUnavailable: No answer now.
            CheckpointError: Not found, not allowed, or more than `limit` bytes.
        """
        with self._answer(path, {}) as response:
            if response.status_code != 200:
                raise self._refusal(response, path)
            data = self._body(response, limit + 1)
        if len(data) > limit:
            raise self._wrong(path, f"has more than {limit} bytes")
        return data

    def read_range(self, path: str, begin: int, end: int, size: int) -> bytes:
        """The bytes `begin` to `end` (not included) of a file of `size` bytes.

        Raises:
            HubUnavailable: No answer now.
            CheckpointError: Not found, not allowed, or the server does not answer with exactly this range; never more than
                the range is read of such an answer.
        """
        with self._answer(path, {"Range": f"bytes={begin}-{end - 1}"}) as response:
            if response.status_code == 200:
                raise self._wrong(path, "was offered whole: the server does not serve ranges of bytes")
            if response.status_code != 206:
                raise self._refusal(response, path)
            match = _RANGE.match(response.headers.get("Content-Range", ""))
            if not match or (int(match[1]), int(match[2])) != (begin, end - 1) or match[3] not in {"*", str(size)}:
                raise self._wrong(path, f"came with other bytes than {begin} to {end - 1} of {size}")
            data = self._body(response, end - begin + 1)
        if len(data) != end - begin:
            raise self._wrong(path, f"came with another number of bytes than the {end - begin} that were asked for")
        return data

    @contextmanager
    def _answer(self, path: str, headers: dict[str, str]) -> Iterator[httpx2.Response]:
        import httpx2

        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            request = self._client.build_request("GET", self.address + path, headers=headers | authorization)
            response = self._follow(request, path)
            try:
                yield response
            finally:
                response.close()
        except httpx2.TimeoutException:
            raise self._silent("did not answer in time") from None
        except httpx2.UnsupportedProtocol:
            raise self._wrong(path, "is redirected to something that is not http") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, RuntimeError, ValueError) as error:
            # RuntimeError and ValueError: the client was closed at the deadline, or a redirect is not an address.
            raise self._silent(f"cannot be reached ({_said(error)})") from None

    def _follow(self, request: httpx2.Request, path: str) -> httpx2.Response:
        """Send, and follow redirects; httpx2 leaves the token out when another host is named."""
        for _ in range(MAX_REDIRECTS + 1):
            left = min(self.limits.request_seconds, self._left())
            request.extensions = {
                **request.extensions,
                "timeout": dict.fromkeys(("connect", "read", "write", "pool"), left),
            }
            response = self._client.send(request, stream=True)
            if response.next_request is None:
                return response
            self._body(response, _SMALL_BODY)  # so that the connection can be used again
            response.close()
            request = response.next_request
            if self.address.startswith("https:") and request.url.scheme != "https":
                raise self._wrong(path, "is redirected to an address without encryption")
        raise self._wrong(path, f"is redirected more than {MAX_REDIRECTS} times")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._silent(f"was not done after {self.limits.total_seconds:g} s")
        return left

    def _body(self, response: httpx2.Response, limit: int) -> bytes:
        """At most `limit` bytes of an answer, as they are on the wire."""
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._silent("answers compressed although that was not asked for")
        pieces, length = [], 0
        for piece in response.iter_raw(65536):
            self._left()
            pieces.append(piece)
            length += len(piece)
            if length >= limit:
                break
        return b"".join(pieces)[:limit]

    def _silent(self, what: str) -> HubUnavailable:
        return HubUnavailable(f"The hub {shown(self.address)} {what}", where=self.handle)

    def _wrong(self, path: str, what: str) -> CheckpointError:
        return CheckpointError(
            f"{path.rpartition('/')[2][:120]} of {self.handle} {what}",
            where=shown(self.address),
            fix="download the model and give its directory",
        )

    def _refusal(self, response: httpx2.Response, path: str) -> CheckpointError:
        """What a status other than success means; the codes are in X-Error-Code (huggingface_hub 2.4.0, utils/_http.py)."""
        status, code = response.status_code, response.headers.get("X-Error-Code", "")
        with_token = "with the hub token that was found" if self.token else "without a hub token (HF_TOKEN)"
        page = f"{shown(self.address)}/{self.handle}"
        if status == 429:
            wait = response.headers.get("Retry-After", "")
            if not wait.isdecimal():
                match = _RESET.search(response.headers.get("RateLimit", ""))
                wait = match[1] if match else ""
            after = f" for {wait[:9]} s" if wait else ""
            return self._silent(f"limits the rate of requests{after} (429), asked {with_token}")
        if status >= 500:
            return self._silent(f"has a failure of its own ({status})")
        if code == "GatedRepo" or (status == 403 and code != "RepoNotFound"):
            what = (
                f"The hub does not give the files of {self.handle} ({status}, gated or not allowed), asked {with_token}"
            )
            return CheckpointError(
                what, where=page, fix="ask for access on that page, then set HF_TOKEN to a token that has it"
            )
        if status == 401 or code == "RepoNotFound":
            what = f"The hub has no model {self.handle}, or does not show it ({status}), asked {with_token}"
            return CheckpointError(
                what, where=page, fix="check the spelling; for a private or gated model set a valid HF_TOKEN"
            )
        if status == 404:
            file = f"file {path.rpartition('/')[2][:120]} of " if "/resolve/" in path else ""
            what = f"The hub has no {file or 'model '}{self.handle} (404)"
            return CheckpointError(what, where=page, fix="check the spelling of the handle")
        return self._silent(f"gave an answer that was not expected ({status})")


def _said(error: Exception) -> str:
    return redact(f"{type(error).__name__}: {error}")[:160].rstrip(": ")
