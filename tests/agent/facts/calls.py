"""Facts about tool calls: which, how often, in what order, with what answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..transcript import Call, Transcript
from .found import Found, at_path, fits, matches, shown, shown_call, written

NO_ARGUMENTS: Mapping[str, str] = {}


def _of(transcript: Transcript, tool: str, having: Mapping[str, str]) -> list[Call]:
    return [c for c in transcript.calls if fits(c, tool, having)]


def called(transcript: Transcript, tool: str, having: Mapping[str, str] = NO_ARGUMENTS, times: int = 1) -> Found:
    """The tool answered at least this many times to calls with such arguments."""
    answered_calls = [c for c in _of(transcript, tool, having) if c.ok]
    if len(answered_calls) >= times:
        return Found(True, shown_call(answered_calls[0]))
    refused_calls = [c for c in _of(transcript, tool, having) if not c.ok]
    return Found(False, shown_call(refused_calls[-1]) if refused_calls else f"no such call of {tool}")


def tried(transcript: Transcript, tool: str, having: Mapping[str, str] = NO_ARGUMENTS) -> Found:
    """The tool was called with such arguments, whether it answered or refused."""
    found = _of(transcript, tool, having)
    return Found(bool(found), shown_call(found[0]) if found else f"no such call of {tool}")


def refused(transcript: Transcript, tool: str, says: str = "", having: Mapping[str, str] = NO_ARGUMENTS) -> Found:
    """The tool refused a call, with these words."""
    found = [c for c in _of(transcript, tool, having) if not c.ok and matches(says, c.text)]
    return Found(bool(found), f"{shown_call(found[0])}: {shown(found[0].text)}" if found else "no such refusal")


def not_called(transcript: Transcript, tool: str, having: Mapping[str, str] = NO_ARGUMENTS) -> Found:
    """The tool was never called with such arguments, not even in vain."""
    found = _of(transcript, tool, having)
    return Found(not found, shown_call(found[0]) if found else f"no such call of {tool}")


def at_most(transcript: Transcript, tool: str, n: int, having: Mapping[str, str] = NO_ARGUMENTS) -> Found:
    """The tool was called at most this many times, refused calls counted."""
    found = _of(transcript, tool, having)
    return Found(len(found) <= n, f"{len(found)} calls" + (f", the last {shown_call(found[-1])}" if found else ""))


def order(transcript: Transcript, tools: Sequence[str]) -> Found:
    """These tools answered in this order; other calls may stand between them."""
    answered_calls = [c for c in transcript.calls if c.ok]
    places: list[str] = []
    start = 0
    for tool in tools:
        place = next((i for i in range(start, len(answered_calls)) if fits(answered_calls[i], tool, {})), None)
        if place is None:
            return Found(False, f"no answer of {tool} after {', '.join(tools[: len(places)]) or 'the beginning'}")
        places.append(shown_call(answered_calls[place]).split("(")[0])
        start = place + 1
    return Found(True, " → ".join(places))


def called_before(
    transcript: Transcript,
    first: str,
    then: str,
    having: Mapping[str, str] = NO_ARGUMENTS,
    then_having: Mapping[str, str] = NO_ARGUMENTS,
) -> Found:
    """`first` answered before `then` was called at all, or `then` never was."""
    earlier = next((c for c in _of(transcript, first, having) if c.ok), None)
    later = next(iter(_of(transcript, then, then_having)), None)
    if earlier is None:
        return Found(False, f"no answer of {first}")
    if later is not None and later.index < earlier.index:
        return Found(False, f"{shown_call(later)} came before {shown_call(earlier)}")
    return Found(True, shown_call(earlier))


def answered(
    transcript: Transcript, tool: str, path: str, value: str, having: Mapping[str, str] = NO_ARGUMENTS
) -> Found:
    """Some answer of the tool has such a value at this path."""
    seen = []
    for call in _of(transcript, tool, having):
        for found in at_path(call.answer, path) if call.ok else ():
            if matches(value, written(found)):
                return Found(True, f"#{call.index} {tool}: {path} = {shown(found)}")
            seen.append(found)
    return Found(False, f"{path} was {shown(seen[-1])}" if seen else f"no answer of {tool} has {path}")
