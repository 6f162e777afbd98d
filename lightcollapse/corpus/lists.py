"""A list of texts in JSON, `["...", "..."]` or `[{"text": "..."}, ...]`: told from other files, and taken apart.

Whoever reads text asks here, so that a file is the same documents to every verb.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from lightcollapse.errors import DataError

_PACKED = (".gz", ".xz", ".zst")
_NAMES = (".json", ".jsonl", ".ndjson")
_BLANK = b" \t\r\n"
_BETWEEN = _BLANK + b","


def is_named_json(path: str) -> bool:
    """Whether the file's name says that it is JSON, packed or not."""
    name = path.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return name.endswith(_NAMES)


def is_list(line: bytes, path: str, item: msgspec.json.Decoder[Any]) -> bool:
    """Whether a file is a list of texts, by its name and its first line that is not blank.

    Where the name does not say JSON, the line must be `[` alone, or a list, whole or cut behind a comma, whose first
    item `item` decodes: prose may begin with [1] or [Illustration].
    """
    line = line.strip()
    if not line.startswith(b"["):
        return False
    if is_named_json(path) or line == b"[":
        return True
    try:
        first = next((one for _, one in _apart(line[:-1] + b"]" if line.endswith(b",") else line)), None)
        return first is not None and (first.startswith(b'"') or item.decode(first) is not None)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False


def items(data: bytes, path: str) -> Iterator[tuple[int, bytes]]:
    """The items of a list, each with the byte of `data` at which it begins. Raises DataError where it is no list."""
    try:
        yield from _apart(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DataError(
            f'{path!r} begins like a JSON list and must be one, ["...", "..."] or [{{"text": "..."}}, ...], or be JSON '
            f'lines, {{"text": "..."}}: {why(data, error)}'
        ) from None


def _apart(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = data.index(b"[") + 1
    for raw in msgspec.json.decode(data, type=list[msgspec.Raw]):
        one = bytes(raw)
        while data[place] in _BETWEEN:
            place += 1
        yield place, one
        place += len(one)


def why(data: bytes, error: Exception) -> str:
    """What is wrong with JSON that is no text: in the words of the library where nothing better is known."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, msgspec.ValidationError) or not isinstance(error, msgspec.DecodeError):
        return str(error)
    constants: list[str] = []
    try:
        json.dumps(json.loads(data, parse_constant=constants.append), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair, \\ud800 to \\udfff, is no character"
    except (ValueError, RecursionError):
        if data.strip(_BLANK) in (b"{", b"["):
            return "it ends here; in JSON lines, each record is one line"
    return f"{constants[0]} is no number in JSON; write null" if constants else str(error)
