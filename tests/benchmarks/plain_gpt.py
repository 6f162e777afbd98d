"""A transformer as a page of plain torch: what a user would write for this, and as fast as such pages are.

Layer norms, learned positions, biases; windows of the text at random; writing reads everything anew for each symbol.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Any) -> Any:
        rows, places, width = x.shape
        parts = self.inward(self.norms[0](x)).split(width, dim=2)
        q, k, v = (part.view(rows, places, self.heads, -1).transpose(1, 2) for part in parts)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.outward(seen.transpose(1, 2).reshape(rows, places, width))
        return x + self.perceptron(self.norms[1](x))


class PlainGPT(nn.Module):
    def __init__(self, symbols: int, length: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.length = length
        self.symbols, self.places = nn.Embedding(symbols, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        for table in (self.symbols, self.places):
            nn.init.normal_(table.weight, 0.0, 0.02)

    def forward(self, rows: Any) -> Any:
        x = self.symbols(rows) + self.places(torch.arange(rows.shape[1], device=rows.device))
        return F.linear(self.norm(self.blocks(x)), self.symbols.weight)


def train(model: PlainGPT, text: Any, steps: int, batch: int, rate: float) -> float:
    """Steps of AdamW on windows of text, int64 (symbols,); the last loss."""
    device = text.device
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.1)
    loss = torch.zeros(())
    for _ in range(steps):
        starts = torch.randint(len(text) - model.length - 1, (batch,)).tolist()
        before = torch.stack([text[i : i + model.length] for i in starts])
        after = torch.stack([text[i + 1 : i + 1 + model.length] for i in starts])
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = F.cross_entropy(model(before).flatten(0, 1), after.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return float(loss.detach())


def write(model: PlainGPT, rows: int, device: Any) -> Any:
    """Documents int64 (rows, length)."""
    out = torch.zeros((rows, 1), dtype=torch.int64, device=device)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        for _ in range(model.length):
            laws = torch.softmax(model(out[:, -model.length :])[:, -1].float(), dim=-1)
            out = torch.cat((out, torch.multinomial(laws, 1)), dim=1)
    return out[:, 1:]
