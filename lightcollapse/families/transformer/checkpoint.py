"""Networks on disk: weights, and whose they are. Source of the format: safetensors, which holds numbers and no code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from lightcollapse.corpus import padding
from lightcollapse.errors import DataError, LightcollapseError
from lightcollapse.families.transformer.device import device_of
from lightcollapse.families.transformer.network import Network, Shape
from lightcollapse.replacing import replacing

_SCHEMA = "lightcollapse/checkpoint/1"
_DAMAGED = (safetensors.SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError)


def mark_of(family: Mapping[str, Any], turn: Mapping[str, int], text: padding.Symbols) -> dict[str, str]:
    """Whose weights these are: the family on the card, the generation, and the text that it learned from."""
    card = {name: value for name, value in family.items() if name not in ("device", "compile")}
    return {
        "schema": _SCHEMA,
        "family": json.dumps(card, sort_keys=True),
        "turn": json.dumps(dict(turn), sort_keys=True),
        "text": hashlib.sha256(text.tobytes()).hexdigest(),
        "device": str(family.get("device", "")),
    }


def save(path: Path, network: Network, mark: Mapping[str, str]) -> None:
    """Write a checkpoint; a file of that name is replaced at once or not at all.

    Raises LightcollapseError where it cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    shape = json.dumps(dataclasses.asdict(network.shape), sort_keys=True)
    content = safetensors.torch.save(tensors, {**mark, "shape": shape, "sha256": _digest(tensors)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise LightcollapseError(f"cannot write the checkpoint {path}: {error.strerror or error}") from None


def load(path: Path, mark: Mapping[str, str]) -> Network:
    """The network of a checkpoint. Raises DataError where it is damaged, or another card's or seed's."""
    try:
        with safetensors.safe_open(path, "pt") as stored:
            found = dict(stored.metadata() or {})
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
        if found.get("schema") != _SCHEMA:
            raise ValueError(f"its schema is {found.get('schema')!r}")
        if found["sha256"] != _digest(tensors):
            raise ValueError("its numbers have changed since they were written")
        shape = Shape(**json.loads(found["shape"]))
    except _DAMAGED as error:
        raise DataError(
            f"{path} is not a checkpoint of lightcollapse, or it is damaged ({error}); remove it, and its generation "
            "is trained again"
        ) from None
    for name, said in (("family", "family"), ("turn", "seed or generation"), ("text", "training set")):
        if found.get(name) != mark[name]:
            raise DataError(
                f"{path} is a checkpoint of another card: its {said} differs; choose another folder with -o, or "
                "remove the checkpoints"
            )
    network = Network(shape, 0)
    network.load_state_dict(tensors)
    network.to(device_of(mark["device"])).eval()
    return network


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names and numbers."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
