"""The transformer: its arithmetic against formulas, its writing, its training; torch is needed."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformer_oracle
from msgspec.structs import replace

from lightcollapse.corpus import padding
from lightcollapse.errors import LightcollapseError, LimitError
from lightcollapse.families import Transformer
from lightcollapse.families.language_model import Turn
from lightcollapse.loop import run
from lightcollapse.regimes import Accumulate, FreshFraction
from lightcollapse.scenario import Scenario
from lightcollapse.sources import HiddenMarkov, RandomMarkov, Text

torch = pytest.importorskip("torch", reason='the transformer needs torch: pip install "lightcollapse[torch]"')
pytest.importorskip("safetensors", reason='the transformer needs safetensors: pip install "lightcollapse[torch]"')

from lightcollapse.families.transformer import device, fitted, training  # noqa: E402
from lightcollapse.families.transformer.fitted import Decoding, Fitted  # noqa: E402
from lightcollapse.families.transformer.network import Network, Shape  # noqa: E402

CORPUS = Path(__file__).parent / "data" / "tiny.txt"
SHAPE = Shape(symbols=7, length=12, width=16, depth=2, heads=2)
SMALL = Transformer(16, 2, 2, tokens=2_000, batch=8, device="cpu")
SOURCE = HiddenMarkov(
    ((0.9, 0.1), (0.2, 0.8)), ((0.5, 0.4, 0.1), (0.1, 0.1, 0.8)), document_length=10, documents=200, rare_share=0.4
)
CARD = Scenario(SOURCE, SMALL, sample_size=300, generations=3)


def network(shape: Shape = SHAPE, seed: int = 3) -> Network:
    """A network of random weights, the norms' too."""
    made = Network(shape, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            if weight.dim() == 1:
                weight.normal_(1.0, 0.3, generator=generator)
    return made.eval()


def documents(count: int, shape: Shape = SHAPE, seed: int = 5) -> Any:
    """Random symbols, int64 (count, length), the unknown one among them."""
    return torch.randint(1, shape.symbols + 2, (count, shape.length), generator=torch.Generator().manual_seed(seed))


def text_of(rows: Any) -> padding.Symbols:
    """Documents int64 (count, length), 0 where they end, as padded text."""
    return np.concatenate([np.append(0, row[row > 0]) for row in rows.numpy()] + [padding.EMPTY]).astype(np.int32)


# --- the network


@pytest.mark.parametrize("shape", [SHAPE, Shape(5, 9, 24, 3, 1), Shape(40, 16, 12, 1, 3)])
def test_the_logits_are_those_of_the_formulas(shape: Shape) -> None:
    made = network(shape)
    before = torch.nn.functional.pad(documents(4, shape)[:, :-1], (1, 0))
    expected = transformer_oracle.logits(dict(made.state_dict()), shape.heads, before.numpy())
    with torch.no_grad():
        single, double = made(before).numpy(), made.double()(before).numpy()
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(single, expected, rtol=0.0, atol=1e-5)
    np.testing.assert_allclose(double, expected, rtol=0.0, atol=1e-6)  # angles are held as float32


def test_no_symbol_is_seen_before_its_time() -> None:
    made, before = network(), documents(3)
    with torch.no_grad():
        base = made(before)
        for place in range(SHAPE.length):
            changed = before.clone()
            changed[:, place] = changed[:, place] % SHAPE.symbols + 1
            moved = (made(changed) != base).any(dim=2)
            assert not moved[:, :place].any() and moved[:, place].all()


def test_gradients_are_those_of_finite_differences() -> None:
    made = network().double()
    rows = documents(3).clamp(max=SHAPE.symbols)
    before = torch.nn.functional.pad(rows[:, :-1], (1, 0))

    def loss() -> Any:
        return torch.nn.functional.cross_entropy(made(before).flatten(0, 1), rows.flatten() - 1)

    loss().backward()
    step = 1e-6
    generator = torch.Generator().manual_seed(1)
    for name, weight in made.named_parameters():
        flat, gradient = weight.data.view(-1), weight.grad.view(-1)
        for at in torch.randint(len(flat), (4,), generator=generator).tolist():
            held = float(flat[at])
            values = []
            for moved in (held + step, held - step):
                flat[at] = moved
                values.append(float(loss().detach()))
            flat[at] = held
            slope = (values[0] - values[1]) / (2 * step)
            assert float(gradient[at]) == pytest.approx(slope, rel=1e-5, abs=1e-8), name


def test_the_weights_are_as_many_as_the_card_says() -> None:
    made = Network(Shape(30, 16, 32, 3, 2), 0)
    assert sum(weight.numel() for weight in made.parameters()) == Transformer(32, 3, 2).weights(30)


# --- reading and writing


@pytest.mark.parametrize("how", [Decoding(), Decoding(0.7), Decoding(1.5, 3), Decoding(1.0, 0, 0.6)])
def test_the_cache_changes_no_symbol(how: Decoding) -> None:
    made = Fitted(network())
    numbers = np.random.default_rng(1).random((50, SHAPE.length))
    with torch.no_grad():
        assert np.array_equal(made.continued(numbers, how), made.continued(numbers, how, cached=False))


def test_a_document_does_not_depend_on_those_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Fitted(network())
    whole = made.write(300 * SHAPE.length - 5, SHAPE.length, 2, 1, 9)
    assert padding.size(whole) == 300 * SHAPE.length - 5
    few = made.write(10 * SHAPE.length, SHAPE.length, 2, 1, 9)
    assert np.array_equal(few[:-1], whole[: len(few) - 1])
    for block in (1, 7, 300):
        monkeypatch.setattr(fitted, "_WRITTEN", {"cpu": block})
        assert np.array_equal(made.write(300 * SHAPE.length - 5, SHAPE.length, 2, 1, 9), whole), block
    for other in ((3, 1, 9), (2, 2, 9), (2, 1, 8)):
        assert not np.array_equal(made.write(10 * SHAPE.length, SHAPE.length, *other), few)


def test_writing_takes_fewer_documents_at_once_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Fitted(network())
    whole = made.write(300 * SHAPE.length, SHAPE.length, 2, 1, 9)
    continued = Fitted.continued

    def scarce(self: Fitted, numbers: Any, how: Decoding) -> Any:
        if len(numbers) > scarce.room:  # type: ignore[attr-defined]
            raise torch.cuda.OutOfMemoryError("no memory")
        return continued(self, numbers, how)

    monkeypatch.setattr(Fitted, "continued", scarce)
    scarce.room = 40  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match="ran out of memory: .* documents are written at once") as told:
        assert np.array_equal(made.write(300 * SHAPE.length, SHAPE.length, 2, 1, 9), whole)
    assert [str(one.message).split(": ")[1].split()[0] for one in told] == ["64", "32"]
    scarce.room = 0  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(LimitError, match="does not hold one document in writing"):
            made.write(9, SHAPE.length, 2, 1, 9)


def test_symbols_are_drawn_by_their_law() -> None:
    """Evenly spread uniforms pass each symbol as often as its chance says, to one of them."""
    law = np.array([0.05, 0.4, 0.25, 0.0, 0.3])
    count = 10_000
    uniforms = torch.from_numpy((np.arange(count) + 0.5) / count)

    def drawn(how: Decoding) -> Any:
        with np.errstate(divide="ignore"):
            logits = torch.from_numpy(np.tile(np.log(law), (count, 1)))
        return np.bincount(fitted.chosen(logits, uniforms, how).numpy(), minlength=6)[1:] / count

    hot = law ** (1 / 2.0)
    for how, expected in (
        (Decoding(), law),
        (Decoding(2.0), hot),
        (Decoding(1.0, 2), [0, 0.4, 0, 0, 0.3]),
        (Decoding(1.0, 0, 0.69), [0, 0.4, 0, 0, 0.3]),
        (Decoding(1.0, 0, 0.71), [0, 0.4, 0.25, 0, 0.3]),
        (Decoding(2.0, 4, 0.5), [0, hot[1], 0, 0, hot[4]]),
    ):
        np.testing.assert_allclose(drawn(how), np.array(expected) / np.sum(expected), rtol=0.0, atol=2 / count)


def test_scores_are_the_logits_of_what_stands_there() -> None:
    made = Fitted(network())
    rows = documents(100)
    rows[3, 5:] = 0
    rows[99, 2:] = 0
    scores = made.log_probabilities(text_of(rows))
    before = torch.nn.functional.pad(rows[:, :-1], (1, 0))
    logs = transformer_oracle.logits(dict(made.network.state_dict()), SHAPE.heads, before.numpy())
    logs -= np.log(np.exp(logs).sum(axis=2, keepdims=True))
    inside = rows.numpy() > 0
    symbols = rows.numpy()
    known = np.where(symbols <= SHAPE.symbols, np.take_along_axis(
        logs, np.clip(symbols - 1, 0, SHAPE.symbols - 1)[:, :, None], axis=2)[:, :, 0], -np.inf)  # fmt: skip
    np.testing.assert_allclose(scores, known[inside], rtol=0.0, atol=1e-5)
    held = rows.clamp(max=SHAPE.symbols)
    text = text_of(held)
    means = made.document_scores(text)
    cuts = np.cumsum((held > 0).sum(dim=1).numpy())[:-1]
    np.testing.assert_allclose(means, [part.mean() for part in np.split(made.log_probabilities(text), cuts)])


def test_intervals_hold_their_share() -> None:
    made = Fitted(network())
    rows = documents(70).clamp(max=SHAPE.symbols)
    text = text_of(rows)
    places = np.flatnonzero(text)[::3]
    inside, size, unknown = made.intervals(text, places, 0.8)
    before = torch.nn.functional.pad(rows[:, :-1], (1, 0))
    logs = transformer_oracle.logits(dict(made.network.state_dict()), SHAPE.heads, before.numpy())
    laws = (np.exp(logs) / np.exp(logs).sum(axis=2, keepdims=True)).reshape(-1, SHAPE.symbols)[::3]
    for law, symbol, lies, count in zip(laws, text[places], inside, size, strict=True):
        order = np.argsort(-law)
        wanted = int(np.searchsorted(np.cumsum(law[order]), 0.8)) + 1
        assert count == wanted and lies == (symbol - 1 in order[:wanted])
    assert not unknown.any()


# --- training


def test_training_reaches_the_entropy_of_a_known_chain() -> None:
    source = RandomMarkov(4, document_length=16, documents=4000, rare_share=0.4)
    human = source.human(1)
    assert human.law is not None
    family = Transformer(16, 1, 1, tokens=400_000, batch=32, learning_rate=1e-2, device="cpu")
    made = Fitted(training.train(family, human.alphabet, human.training, 16, Turn(0, 0, 1)))
    loss, entropy = (-float(law.log_probabilities(human.held_out).mean()) for law in (made, human.law))
    assert math.log(4) - entropy > 0.1
    assert entropy * 0.999 < loss < entropy * 1.01


def test_a_few_documents_are_learned_by_heart() -> None:
    rows = documents(4).clamp(max=SHAPE.symbols)
    family = Transformer(32, 2, 2, tokens=300 * 4 * SHAPE.length, batch=4, learning_rate=1e-2, device="cpu")
    made = Fitted(training.train(family, SHAPE.symbols, text_of(rows), SHAPE.length, Turn(1, 0, 1)))
    least = math.log(4) / SHAPE.length  # which of the four it is must be read first
    loss = -made.log_probabilities(text_of(rows)).mean()
    assert least - 1e-3 < loss < least + 0.02


def test_parts_of_a_step_sum_to_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU without the memory for a step takes it in parts; here it only says that it has none."""
    human = SOURCE.human(1)
    descend = training.Training._descend

    def scarce(self: training.Training, rows: Any) -> Any:
        if self.micro > scarce.room:  # type: ignore[attr-defined]
            raise torch.cuda.OutOfMemoryError("no memory")
        return descend(self, rows)

    arguments = (SMALL, human.alphabet, human.training, 10, Turn(1, 0, 1))
    whole = training.train(*arguments)
    monkeypatch.setattr(training.Training, "_descend", scarce)
    scarce.room = 3  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match="ran out of memory: each step goes on in parts of") as told:
        parts = training.train(*arguments)
    assert [str(one.message).split()[-2] for one in told] == ["4", "2"]
    scores = [Fitted(made).log_probabilities(human.held_out) for made in (whole, parts)]
    np.testing.assert_allclose(*scores, rtol=0.0, atol=1e-3)
    scarce.room = 0  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(LimitError, match="does not hold one document") as caught:
            training.train(*arguments)
    assert caught.value.exit_code == 6


def test_a_loss_that_is_no_number_stops_and_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    summed = training.Training._sum

    def astray(self: training.Training, rows: Any) -> Any:
        bad = self.turn.generation == 2 and int((self.losses != 0).sum()) == 6
        return summed(self, rows) * (math.nan if bad else 1.0)

    with monkeypatch.context() as patched:
        patched.setattr(training.Training, "_sum", astray)
        with pytest.raises(LightcollapseError, match=r"generation 2 .* step 7 of 25 is not a number") as caught:
            run(CARD, 1, 1, checkpoints=tmp_path)
    assert caught.value.exit_code == 1 and "learning_rate below 0.003" in str(caught.value)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["human.safetensors", "replicate-0-generation-1.safetensors"]
    assert run(CARD, 1, 1, checkpoints=tmp_path) == run(CARD, 1, 1)


def test_held_out_documents_stop_training_early() -> None:
    human = SOURCE.human(1)
    text = padding.head(human.training, 300)
    family = Transformer(32, 2, 2, tokens=16_000, batch=8, learning_rate=2e-2, device="cpu")
    stopped = training.Training(
        replace(family, stop="held-out"), human.alphabet, training.rectangle(text, 10), Turn(1, 0, 1), None,
        torch.device("cpu"),
    )  # fmt: skip
    with device.exactly(torch.device("cpu")):
        early = Fitted(stopped.run())
    late = Fitted(training.train(family, human.alphabet, text, 10, Turn(1, 0, 1)))
    assert 0 < int((stopped.losses != 0).sum()) < stopped.steps
    assert stopped.aside is not None and len(stopped.aside) == 3 and len(stopped.documents) == 27
    scores = [float(made.log_probabilities(human.held_out).mean()) for made in (early, late)]
    assert scores[0] > scores[1] + 0.1


def test_a_generation_may_start_from_the_last_ones_weights() -> None:
    """Real text in every generation teaches more, the longer it is learned from."""
    family = replace(SMALL, tokens=800)
    cards = (replace(CARD, family=replace(family, start=start), regime=FreshFraction(1.0))
             for start in ("previous", "scratch"))  # fmt: skip
    begun, anew = (run(card, 1, 1).metrics["perplexity"][0] for card in cards)
    assert begun[:2].tobytes() == anew[:2].tobytes()
    assert begun[3] < anew[3] and begun[3] < begun[1]


# --- runs


@pytest.mark.parametrize("regime", [Accumulate(), FreshFraction(0.5)])
def test_the_bits_do_not_depend_on_how_the_work_is_cut(regime: Any) -> None:
    card = replace(CARD, regime=regime)
    whole = run(card, 2**63 + 5, 3, jobs=1)
    assert run(card, 2**63 + 5, 3, jobs=3) == whole
    alone = run(card, 2**63 + 5, [2], jobs=1)
    for name, values in whole.metrics.items():
        assert alone.metrics[name].tobytes() == values[2:].tobytes(), name
        assert not np.isnan(values).any()


def test_a_whole_corpus_shares_its_first_model() -> None:
    record = run(replace(CARD, sample_size=None, generations=1), 1, 2)
    assert record.provenance["torch"] == torch.__version__
    assert np.ptp(record.metrics["perplexity"][:, 1]) == 0.0
    card = Scenario(Text(str(CORPUS), document_length=16), SMALL, sample_size=400, generations=2)
    assert len(run(card, 1, 1).excerpts) == 3


def test_threads_of_torch_are_as_before() -> None:
    held = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with device.exactly(torch.device("cpu")):
            assert torch.get_num_threads() == 1
            with device.exactly(torch.device("cpu")):
                pass
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(held)


def test_the_processor_never_asks_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> bool:
        raise AssertionError("asked for a GPU")

    monkeypatch.setattr(torch.cuda, "is_available", asked)
    run(replace(CARD, generations=1), 1, 1)


def test_auto_takes_what_there_is_and_cuda_insists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    auto = run(replace(CARD, generations=1, family=replace(SMALL, device="auto")), 1, 1)
    plain = run(replace(CARD, generations=1), 1, 1)
    assert all(auto.metrics[name].tobytes() == values.tobytes() for name, values in plain.metrics.items())
    with pytest.raises(LightcollapseError, match="torch reports no GPU"):
        run(replace(CARD, family=replace(SMALL, device="cuda")), 1, 1)
