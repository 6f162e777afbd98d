"""Training a transformer and writing with it, against a page of plain torch of the same shape."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from lightcollapse.families import Transformer

from . import text
from .race import Peer, Row, Spent, missing, race
from .setting import Setting

LENGTH = 128
_SIDE = 8192  # of the matrices whose product is the peak of a GPU


def rows(setting: Setting) -> Iterator[Row]:
    if Transformer.missing():
        lacking = missing("torch").replace("bench", "torch")
        yield Row("transformer", "training and writing", "plain torch", None, note=lacking)
        return
    yield from _on(setting, "cpu", Transformer(64, 2, 2, batch=16, device="cpu"), LENGTH, 32_768, 128)
    import torch

    if torch.cuda.is_available():
        small = Transformer(384, 6, 6, batch=128, device="cuda")
        yield from _on(setting, "cuda", small, 256, 100 * 128 * 256, 2048)


def _on(setting: Setting, where: str, family: Transformer, length: int, tokens: int, written: int) -> Iterator[Row]:
    import torch
    from msgspec.structs import replace

    from lightcollapse.families.language_model import Turn
    from lightcollapse.families.transformer.fitted import Fitted
    from lightcollapse.families.transformer.training import train

    from . import plain_gpt

    device = torch.device(where)
    made = text.simulation(text.prose(setting.size(300_000, 100_000)), 3, "witten-bell", length=length)
    training, symbols = made.human.training, made.human.alphabet
    step = family.batch * length
    steps = max(4, tokens // step) // (4 if setting.quick else 1)
    family = replace(family, tokens=steps * step)
    plain = plain_gpt.PlainGPT(symbols + 2, length, family.width, family.depth, family.heads).to(device)
    stream = torch.from_numpy(training[training != 0].astype("int64")).to(device)
    ours = Fitted(train(replace(family, tokens=1), symbols, training, length, Turn(1, 0, 1)))
    peak = setting.limits.flops if where == "cpu" else _peak(torch)
    work = operations(family, symbols, length)
    facts: dict[str, Any] = {"repeats": setting.repeats, "unit": "symbol", "measure_memory": where == "cpu"}
    facts["limit_of"] = f"matrix products at this machine's {'one-thread' if where == 'cpu' else 'bfloat16'} peak"
    shape = f"{family.width} wide, {family.depth} deep, {family.weights(symbols):,} weights, {where}"
    share = 0.25

    def timed(call: Callable[[], object]) -> Callable[[], object]:
        return _alone(torch, call) if where == "cpu" else _waited(torch, call)

    count = steps * step
    yield from race(
        "transformer",
        f"training on {count:,} symbols: {shape}",
        timed(lambda: train(family, symbols, training, length, Turn(1, 0, 1))),
        [Peer("plain torch, training", timed(lambda: plain_gpt.train(plain, stream, steps, family.batch, 3e-3)))],
        count=float(count),
        limit=3.0 * work * count / peak,
        label="transformer, train",
        note=f"{3 * work / 1e6:.3g} MFLOP a symbol, forward and back, of {peak / 1e12:.3g} TFLOP/s: the share of "
        "the peak is 1 over the column `limit`",
        **facts,
    )
    count = written * length
    yield from race(
        "transformer",
        f"writing {count:,} symbols: {shape}",
        timed(lambda: ours.write(count, length, 2, 0, 1)),
        [Peer("plain torch, writing",
              timed(lambda: plain_gpt.write(plain, int(share * written), device)), share=share)],
        count=float(count),
        limit=work * count / peak,
        label="transformer, write",
        **facts,
    )  # fmt: skip


def operations(family: Transformer, symbols: int, length: int) -> float:
    """Additions and multiplications of one symbol's forward pass, in a document of that length: two a weight of every
    matrix, the last one among them, and attention to half of the places on average.
    """
    matrices = 2.0 * (12 * family.depth * family.width**2 + symbols * family.width)
    return matrices + 2.0 * family.depth * family.width * length


def _alone(torch: Any, call: Callable[[], object]) -> Callable[[], object]:
    """The call on one thread of torch."""

    def run() -> None:
        held = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            call()
        finally:
            torch.set_num_threads(held)

    return run


def _waited(torch: Any, call: Callable[[], object]) -> Callable[[], Spent]:
    """The call until the GPU is done, by the clock."""

    def run() -> Spent:
        torch.cuda.synchronize()
        begin = time.perf_counter()
        call()
        torch.cuda.synchronize()
        return Spent(time.perf_counter() - begin)

    return run


def _peak(torch: Any) -> float:
    """Operations a second of a product of large bfloat16 matrices on the GPU, the best of ten."""
    square = torch.randn(_SIDE, _SIDE, device="cuda", dtype=torch.bfloat16)
    product = _waited(torch, lambda: square @ square)
    product()
    return float(2.0 * _SIDE**3 / min(product().seconds for _ in range(10)))  # type: ignore[attr-defined]
