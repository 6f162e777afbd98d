"""Training: a network fitted to documents."""

from __future__ import annotations

import contextlib
import copy
import math
import warnings
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812

from lightcollapse.corpus import padding, permutation
from lightcollapse.corpus.shuffle import key_of
from lightcollapse.errors import LightcollapseError, LimitError
from lightcollapse.families.transformer.device import device_of, exactly
from lightcollapse.families.transformer.documents import before, rectangle
from lightcollapse.families.transformer.network import Network, Shape
from lightcollapse.kernels.draws import FIT

if TYPE_CHECKING:
    from lightcollapse.families.language_model import Turn
    from lightcollapse.families.transformer import Transformer

_WARM_UP, _LEAST_RATE = 0.1, 0.1  # share of the steps; of the learning rate at the end
_DECAY, _BETAS, _LONGEST_GRADIENT = 0.1, (0.9, 0.95), 1.0
_ASIDE = 10  # of so many documents one is set aside for stopping
_CHECKS, _PATIENCE = 20, 4
_LOOK = 100  # steps on a GPU between looks at the loss: each waits for it


def train(
    family: Transformer, symbols: int, text: padding.Symbols, length: int, turn: Turn, start: Network | None = None
) -> Network:
    """The network of this generation, fitted to padded documents; from `start`'s weights where they are given.

    Raises LightcollapseError where the loss is no number any more, LimitError where not even one document fits into
    the GPU's memory.
    """
    device = device_of(family.device)
    with exactly(device):
        return Training(family, symbols, rectangle(text, length), turn, start, device).run()


class Training:
    """One generation's training."""

    def __init__(
        self,
        family: Transformer,
        symbols: int,
        documents: torch.Tensor,
        turn: Turn,
        start: Network | None,
        device: torch.device,
    ) -> None:
        shape = Shape(symbols, documents.shape[1], family.width, family.depth, family.heads)
        self.family, self.turn, self.device = family, turn, device
        self.network = Network(shape, key_of(turn.generation, turn.replicate, FIT, turn.seed))
        self.network.to(device)
        if start is not None:
            self.network.load_state_dict(start.state_dict())
        self.aside, self.documents = self._parted(documents)
        self.batch = self.micro = min(family.batch, len(self.documents))
        self.steps = math.ceil(family.tokens / (self.batch * documents.shape[1]))
        self.losses = torch.zeros(self.steps, device=device)
        self.optimizer = self._optimizer()
        self.forward: Any = torch.compile(self.network) if family.compile else self.network

    def _parted(self, documents: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor]:
        """Documents set aside for stopping, and those to learn from."""
        if self.family.stop == "tokens" or len(documents) < 2:
            return None, documents.to(self.device)
        order = self._order(len(documents), -1)
        count = max(1, len(documents) // _ASIDE)
        return documents[order[:count]].to(self.device), documents[order[count:]].to(self.device)

    def _order(self, documents: int, turn: int) -> torch.Tensor:
        """A random order of the documents: that of a pass, or for -1 the one by which some are set aside."""
        stream = FIT | (turn + 1) << 8
        return torch.from_numpy(
            permutation(documents, self.turn.generation, self.turn.replicate, stream, self.turn.seed)
        )

    def _optimizer(self) -> torch.optim.Optimizer:
        """AdamW; only matrices decay."""
        weights = list(self.network.parameters())
        groups = [
            {"params": [weight for weight in weights if weight.dim() == 2], "weight_decay": _DECAY},
            {"params": [weight for weight in weights if weight.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.family.learning_rate, betas=_BETAS, fused=True)

    def run(self) -> Network:
        """All steps, or as many as the documents set aside allow."""
        best, kept, waited = math.inf, None, 0
        every = max(1, self.steps // _CHECKS)
        ahead = torch.empty(0, dtype=torch.int64)
        passes = 0
        for step in range(self.steps):
            if len(ahead) < self.batch:
                ahead = torch.cat((ahead, self._order(len(self.documents), passes)))
                passes += 1
            chosen, ahead = ahead[: self.batch], ahead[self.batch :]
            self._rate(step)
            self.losses[step] = self._step(self.documents[chosen.to(self.device)])
            if self.device.type == "cpu" or step % _LOOK == _LOOK - 1 or step == self.steps - 1:
                self._refuse_nan(max(0, step - _LOOK), step)
            if self.aside is not None and (step + 1) % every == 0:
                loss = self.loss(self.aside)
                waited = 0 if loss < best else waited + 1
                if loss < best:
                    best, kept = loss, copy.deepcopy(self.network.state_dict())
                if waited >= _PATIENCE:
                    break
        if kept is not None:
            self.network.load_state_dict(kept)
        self.network.eval()
        return self.network

    def _rate(self, step: int) -> None:
        """The learning rate of a step: up over the first tenth, then down by half a cosine."""
        warm = max(1.0, _WARM_UP * self.steps)
        share = min(1.0, (step + 1) / warm)
        if step >= warm:
            through = (step - warm) / max(1.0, self.steps - warm)
            share = _LEAST_RATE + (1.0 - _LEAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * through))
        for group in self.optimizer.param_groups:
            group["lr"] = self.family.learning_rate * share

    def _step(self, documents: torch.Tensor) -> torch.Tensor:
        """One step on these documents; in smaller parts where they do not fit into the GPU's memory."""
        while True:
            try:
                return self._descend(documents)
            except torch.cuda.OutOfMemoryError:
                if self.micro == 1:
                    raise LimitError(
                        "the GPU's memory does not hold one document in training; give a smaller width, depth or "
                        "document_length"
                    ) from None
                self.micro = (self.micro + 1) // 2
                warnings.warn(
                    f"the GPU ran out of memory: each step goes on in parts of {self.micro} documents", stacklevel=2
                )
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()

    def _descend(self, documents: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        count = (documents > 0).sum()
        for part in documents.split(self.micro):
            loss = self._sum(part) / count
            loss.backward()
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LONGEST_GRADIENT)
        self.optimizer.step()
        return total

    def _sum(self, documents: torch.Tensor) -> torch.Tensor:
        """Negative log-likelihood of the documents, nats."""
        gpu = self.device.type == "cuda"
        with torch.autocast("cuda", torch.bfloat16) if gpu else contextlib.nullcontext():
            logits = self.forward(before(documents))
        return F.cross_entropy(
            logits.flatten(0, 1).float() if gpu else logits.flatten(0, 1),
            documents.flatten() - 1,
            ignore_index=-1,
            reduction="sum",
        )

    def loss(self, documents: torch.Tensor) -> float:
        """Mean negative log-likelihood a symbol, nats."""
        with torch.no_grad():
            total = sum(float(self._sum(part)) for part in documents.split(self.batch))
        return total / int((documents > 0).sum())

    def _refuse_nan(self, since: int, step: int) -> None:
        """Raise LightcollapseError where a loss of these steps is no number."""
        finite = self.losses[since : step + 1].isfinite()
        if not bool(finite.all()):
            first = since + int((~finite).nonzero()[0, 0]) + 1
            raise LightcollapseError(
                f"training of generation {self.turn.generation} went astray: the loss of step {first} of {self.steps} "
                f"is not a number; give a learning_rate below {self.family.learning_rate:g} (the checkpoints of the "
                "generations before are kept)"
            )
