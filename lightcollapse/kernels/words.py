"""Cutting UTF-8 text into words, and numbering them by first sight. Words are told apart by their bytes, exactly."""

from __future__ import annotations

import numpy as np

from lightcollapse.compiler import inlined, kernel

_PRIME = np.uint64(0x100000001B3)
_START = np.uint64(0xCBF29CE484222325)
_TURN = np.uint64(32)


@inlined
def _slot(arena, starts, slots, data, begin, end, hashed):
    """Where a word's number stands, or the empty place where it belongs: open addressing, linear probing."""
    mask = np.uint64(slots.size - 1)
    place = np.int64((hashed ^ (hashed >> _TURN)) & mask)
    while True:
        number = slots[place]
        if number == 0:
            return place
        first = starts[number - 1]
        length = starts[number] - first
        same = length == end - begin
        k = 0
        while same and k < length:
            same = arena[first + k] == data[begin + k]
            k += 1
        if same:
            return place
        place = np.int64((np.uint64(place) + np.uint64(1)) & mask)


@inlined
def _point(data, i):
    """Code point of the character that begins at byte i of valid UTF-8, and its bytes."""
    byte = np.int64(data[i])
    if byte < 0x80:
        return byte, 1
    if byte < 0xE0:
        return ((byte & 0x1F) << 6) | (np.int64(data[i + 1]) & 0x3F), 2
    if byte < 0xF0:
        return ((byte & 0x0F) << 12) | ((np.int64(data[i + 1]) & 0x3F) << 6) | (np.int64(data[i + 2]) & 0x3F), 3
    high = ((byte & 0x07) << 18) | ((np.int64(data[i + 1]) & 0x3F) << 12)
    return high | ((np.int64(data[i + 2]) & 0x3F) << 6) | (np.int64(data[i + 3]) & 0x3F), 4


@kernel
def number_words(data, begin, wordlike, slots, arena, starts, words, symbols, filled):
    """Fill symbols int32 with the numbers 1, 2, ... of the words of `data` from byte `begin` on, 0 for each NUL.

    `data` uint8 is valid UTF-8; a word is a longest run of characters whose code point is set in `wordlike` uint8.
    `slots` int32 (a power of two) is the table, `arena` uint8 the bytes of all words so far, starts int64 where each
    begins. Stops where one of them is full. Fills filled int64 (2,) with the number of words, and of symbols written.
    Returns the next byte. Draws nothing.
    """
    written = 0
    i = begin
    while i < data.size:
        point, size = _point(data, i)
        if wordlike[point] == 0:
            if point == 0:
                symbols[written] = 0
                written += 1
            i += size
            continue
        first = i
        hashed = _START
        while True:
            for k in range(i, i + size):
                hashed = (hashed ^ np.uint64(data[k])) * _PRIME
            i += size
            if i >= data.size:
                break
            point, size = _point(data, i)
            if wordlike[point] == 0:
                break
        used = starts[words]
        if 2 * (words + 1) > slots.size or words + 2 > starts.size or used + (i - first) > arena.size:
            filled[0], filled[1] = words, written
            return first
        place = _slot(arena, starts, slots, data, first, i, hashed)
        if slots[place] == 0:
            for k in range(first, i):
                arena[used + k - first] = data[k]
            words += 1
            starts[words] = used + i - first
            slots[place] = words
        symbols[written] = slots[place]
        written += 1
    filled[0], filled[1] = words, written
    return i


@kernel
def fill_slots(arena, starts, words, slots):
    """Put all words into an empty table of another size. Draws nothing."""
    for number in range(words):
        hashed = _START
        for k in range(starts[number], starts[number + 1]):
            hashed = (hashed ^ np.uint64(arena[k])) * _PRIME
        mask = np.uint64(slots.size - 1)
        place = np.int64((hashed ^ (hashed >> _TURN)) & mask)
        while slots[place] != 0:
            place = np.int64((np.uint64(place) + np.uint64(1)) & mask)
        slots[place] = number + 1
