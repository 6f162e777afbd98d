"""A fitted network as a model of documents: it scores text and writes it."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lightcollapse.corpus import padding
from lightcollapse.corpus.shuffle import philox
from lightcollapse.errors import LimitError
from lightcollapse.families.transformer.device import exactly
from lightcollapse.families.transformer.documents import before, rectangle
from lightcollapse.families.transformer.network import Cache, Network
from lightcollapse.kernels.draws import SYNTHETIC

_ROWS = 64  # documents scored together
_WRITTEN = {"cpu": 128, "cuda": 2048}  # documents written together
_NEARLY = 1.0 - 1e-12  # what a sum of chances may lack by rounding
_HALF = np.uint64(32)


class Decoding(NamedTuple):
    """How a law is sharpened and cut before it is drawn from."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


class Fitted:
    """A model of documents."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.device = network.vectors.weight.device
        self.length = network.shape.length

    def log_probabilities(self, text: padding.Symbols) -> NDArray[np.float64]:
        """Log-probability of each symbol of padded documents given those before it, nats; -inf for the unknown one."""
        documents = rectangle(text, self.length)
        parts = [np.empty(0)]
        with exactly(self.device), torch.no_grad():
            for rows in documents.split(_ROWS):
                known = (rows > 0) & (rows <= self.network.shape.symbols)
                logs = self._logs(rows).gather(2, (rows - 1).clamp(0, self.network.shape.symbols - 1)[:, :, None])
                parts.append(torch.where(known, logs[:, :, 0], -torch.inf)[rows > 0].numpy())
        return np.concatenate(parts)

    def _logs(self, rows: torch.Tensor) -> torch.Tensor:
        """Log-probabilities float64 (documents, places, symbols), on the CPU."""
        logits = self.network(before(rows.to(self.device)))
        return torch.log_softmax(logits.cpu().double(), dim=-1)

    def document_scores(self, text: padding.Symbols) -> NDArray[np.float64]:
        """Mean log-probability of a symbol of each document, nats, float64 (documents,); 0 for an empty document."""
        lengths = padding.runs(text)[1]
        document = np.repeat(np.arange(len(lengths)), lengths)
        sums = np.bincount(document, weights=self.log_probabilities(text), minlength=len(lengths))
        means: NDArray[np.float64] = sums / np.maximum(lengths, 1)
        return means

    def intervals(
        self, text: padding.Symbols, places: NDArray[np.int64], share: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Of the symbols at these places: whether each lies in the smallest set of the likeliest that holds `share` of
        the law given its history, how many symbols that set holds, and 0, the chance of the unknown.
        """
        begin, _ = padding.runs(text)
        document = np.searchsorted(begin, places, side="right") - 1
        column = places - begin[document]
        inside, size = np.empty(len(places)), np.empty(len(places))
        documents = rectangle(text, self.length)
        with exactly(self.device), torch.no_grad():
            for first in range(0, len(documents), _ROWS):
                wanted = np.flatnonzero((document >= first) & (document < first + _ROWS))
                if len(wanted) == 0:
                    continue
                logs = self._logs(documents[first : first + _ROWS])
                laws = logs[document[wanted] - first, column[wanted]].exp()
                likely, _ = laws.sort(dim=1, descending=True)
                count = (likely.cumsum(dim=1) < share * _NEARLY).sum(dim=1).clamp(max=laws.shape[1] - 1)
                edge = likely.gather(1, count[:, None])
                symbol = torch.from_numpy(text[places[wanted]].astype(np.int64) - 1)
                size[wanted] = (count + 1).double().numpy()
                inside[wanted] = (laws.gather(1, symbol[:, None]) >= edge)[:, 0].double().numpy()
        return inside, size, np.zeros(len(places))

    def write(
        self,
        symbols: int,
        length: int,
        generation: int,
        replicate: int,
        seed: int,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> padding.Symbols:
        """Padded documents of `length` symbols, `symbols` in all: the draws for training set `generation`.

        Symbol i of document d follows from the uniform at counter d x length + i alone and the law given the symbols
        before it. On a CPU documents are written in blocks of one size, so that no document depends on how many there
        are.
        """
        how = Decoding(temperature, top_k, top_p)
        documents = -(-symbols // length)
        out = np.zeros((documents, length + 1), dtype=np.int32)
        block, first = _WRITTEN[self.device.type], 0
        with exactly(self.device), torch.no_grad():
            while first < documents:
                here = min(block, documents - first)
                rows = block if self.device.type == "cpu" else here
                draws = np.arange(first * length, (first + rows) * length, dtype=np.uint64)
                numbers = _uniforms(draws, generation, replicate, seed).reshape(rows, length)
                try:
                    out[first : first + here, 1:] = self.continued(numbers, how)[:here]
                    first += here
                except torch.cuda.OutOfMemoryError:
                    block = _smaller(here)
        text = np.append(out.ravel(), np.int32(0))
        return padding.head(text, symbols)

    def continued(self, numbers: NDArray[np.float64], how: Decoding, cached: bool = True) -> NDArray[np.int32]:
        """Documents int32 (rows, length), a symbol for each uniform of `numbers`; without the cache everything before
        a symbol is read anew.
        """
        rows, length = numbers.shape
        uniforms = torch.from_numpy(numbers).to(self.device)
        out = torch.zeros((rows, length + 1), dtype=torch.int64, device=self.device)
        cache = Cache(self.network.shape, rows, self.network.vectors.weight)
        for place in range(length):
            if cached:
                logits = self.network.following(out[:, place], place, cache)
            else:
                logits = self.network(out[:, : place + 1])[:, -1]
            out[:, place + 1] = chosen(logits.double(), uniforms[:, place], how)
        written: NDArray[np.int32] = out[:, 1:].cpu().numpy().astype(np.int32)
        return written


def _smaller(documents: int) -> int:
    """Half as many documents to write at once. Raises LimitError where there is but one."""
    if documents == 1:
        raise LimitError("the GPU's memory does not hold one document in writing; give a smaller width or depth")
    warnings.warn(f"the GPU ran out of memory: {documents // 2} documents are written at once", stacklevel=3)
    return documents // 2


def chosen(logits: torch.Tensor, uniforms: torch.Tensor, how: Decoding) -> torch.Tensor:
    """The symbols 1..V at which the cumulative laws of float64 logits (rows, V) pass the uniforms (rows,)."""
    laws = torch.softmax(logits / how.temperature, dim=-1)
    if how.top_k or how.top_p < 1.0:
        likely, order = laws.sort(dim=-1, descending=True, stable=True)
        if how.top_k:
            likely[:, how.top_k :] = 0.0
        above = likely.cumsum(dim=-1) - likely
        likely = torch.where(above < how.top_p * likely.sum(dim=-1, keepdim=True) * _NEARLY, likely, 0.0)
        laws = torch.zeros_like(laws).scatter(-1, order, likely)
    sums = laws.cumsum(dim=-1)
    passed = (sums <= uniforms[:, None] * sums[:, -1:]).sum(dim=-1)
    return passed.clamp(max=logits.shape[-1] - 1) + 1


def _uniforms(draws: NDArray[np.uint64], generation: int, replicate: int, seed: int) -> NDArray[np.float64]:
    """Uniforms in (0, 1), one a counter."""
    high, low, _, _ = philox(draws, generation, replicate, SYNTHETIC, seed)
    bits = ((high << _HALF) | low) >> np.uint64(12)
    return np.asarray((bits.astype(np.float64) + 0.5) * 2.0**-52)
