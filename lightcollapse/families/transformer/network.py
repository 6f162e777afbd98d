"""The network: logits of the next symbol. Shapes: B documents, L places, W width, H heads, D = W / H, V symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

_SLOWEST = 10_000.0  # places in which the slowest pair of a rotary position turns by one radian
EPSILON = 1e-6


@dataclass(frozen=True)
class Shape:
    """What decides a network's weights.

    Attributes:
        symbols: V, numbered 1..V; 0 begins a document, V + 1 is any other symbol.
        length: places of the longest document.
    """

    symbols: int
    length: int
    width: int
    depth: int
    heads: int


class Norm(nn.Module):
    """Each vector less its mean, over its spread: one pass on every device, which other norms are not."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.scale.shape, self.scale, None, EPSILON)


class Cache:
    """Keys and values of what a block of documents holds so far, for every layer: (depth, 2, B, H, length, D)."""

    def __init__(self, shape: Shape, documents: int, like: Tensor) -> None:
        size = (shape.depth, 2, documents, shape.heads, shape.length, shape.width // shape.heads)
        self.held = like.new_zeros(size)

    def extended(self, layer: int, place: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, H, place + 1, D) with those of `place` added."""
        self.held[layer, 0, :, :, place : place + 1] = key
        self.held[layer, 1, :, :, place : place + 1] = value
        return self.held[layer, 0, :, :, : place + 1], self.held[layer, 1, :, :, : place + 1]


class Layer(nn.Module):
    """Attention and perceptron, each added to what comes in."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        width = shape.width
        self.before_attention, self.before_perceptron = Norm(width), Norm(width)
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.gather = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, turn: Tensor, cache: tuple[Cache, int, int] | None = None) -> Tensor:
        """x (B, L, W); turn complex (L, D / 2): the angles of each place; cache, layer and place where one symbol
        follows those that are held.
        """
        documents, places, width = x.shape
        split = self.attend(self.before_attention(x)).view(documents, places, 3, self.heads, width // self.heads)
        parts = split.permute(2, 0, 3, 1, 4)  # (3, B, H, L, D)
        (query, key), value = rotated(parts[:2], turn), parts[2]
        if cache is None:
            found = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            held, layer, place = cache
            found = F.scaled_dot_product_attention(query, *held.extended(layer, place, key, value))
        x = x + self.gather(found.transpose(1, 2).reshape(documents, places, width))
        wide: Tensor = x + self.narrow(F.gelu(self.widen(self.before_perceptron(x))))
        return wide


def rotated(x: Tensor, turn: Tensor) -> Tensor:
    """Neighbours of x (..., L, D), as points of a plane, turned by the angle of their place: complex `turn` (L, D / 2).

    Source: Su et al. 2021 (arXiv:2104.09864).
    """
    points = torch.view_as_complex(x.to(torch.promote_types(x.dtype, torch.float32)).unflatten(-1, (-1, 2)))
    return torch.view_as_real(points * turn).flatten(-2).to(x.dtype)


class Network(nn.Module):
    """The network of a shape, with weights drawn from a seed."""

    def __init__(self, shape: Shape, seed: int) -> None:
        super().__init__()
        self.shape = shape
        self.vectors = nn.Embedding(shape.symbols + 2, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.depth))
        self.last = Norm(shape.width)
        half = shape.width // shape.heads // 2
        speed = _SLOWEST ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = torch.arange(shape.length, dtype=torch.float64)[:, None] * speed
        self.register_buffer("turn", torch.polar(torch.ones_like(angle), angle).to(torch.complex64), persistent=False)
        self._draw(torch.Generator().manual_seed(seed))

    def _draw(self, generator: torch.Generator) -> None:
        """Normal weights that keep the size of what passes; what is added to a layer's input starts smaller."""
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if weight.dim() == 2:
                    spread = weight.shape[1] ** -0.5
                    if "gather" in name or "narrow" in name:
                        spread /= math.sqrt(2.0 * self.shape.depth)
                    weight.normal_(0.0, spread, generator=generator)

    def forward(self, before: Tensor) -> Tensor:
        """Logits (B, L, V) of the symbol that follows each of `before`, int64 (B, L)."""
        x = self.vectors(before)
        turn = self.turn[: before.shape[1]]
        for layer in self.layers:
            x = layer(x, turn)
        return self.logits(x)

    def following(self, symbols: Tensor, place: int, cache: Cache) -> Tensor:
        """Logits (B, V) of what follows `symbols`, int64 (B,), at `place`, those before it held by the cache."""
        x = self.vectors(symbols[:, None])
        turn = self.turn[place : place + 1]
        for number, layer in enumerate(self.layers):
            x = layer(x, turn, (cache, number, place))
        return self.logits(x)[:, 0]

    def logits(self, x: Tensor) -> Tensor:
        """By the vectors of symbols 1..V."""
        return F.linear(self.last(x), self.vectors.weight[1:-1])
