"""PyTorch: the state of a module, or a mapping of tensors, as safetensors. The module's class stays in its code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.errors import UsageError
from mlgit.formats import frameworks, steady
from mlgit.formats.frameworks import Trust

FORMAT = "safetensors"
_FILE = "model.safetensors"
_NOTED = {"format": "pt"}
"""What every file of PyTorch's says of itself, beside which names share a tensor."""
_ELSE = 'log dense tensors alone, or all of it as framework="pickle", allow_pickle=True, which is unsafe'


def takes(files: Mapping[str, Path]) -> bool:
    """Whether one of *files* is of safetensors."""
    return bool(frameworks.with_suffix(files, ".safetensors"))


def save(model: Any, folder: Path) -> ModelCard:
    """Store the tensors once each; what another name shares is named in the file, and shared again when loaded."""
    safetensors = frameworks.library("safetensors.torch", "safetensors")
    torch = frameworks.library("torch")
    state = model if isinstance(model, Mapping) else model.state_dict()
    if wrong := [name for name, value in state.items() if not isinstance(value, torch.Tensor)]:
        raise UsageError(f"{wrong[0]} is no tensor, and safetensors holds nothing else.", fix=_ELSE)
    try:
        tensors, shared = _apart(state)
        safetensors.save_file(tensors, folder / _FILE, metadata=_NOTED | shared)
    except (KeyError, TypeError, ValueError, NotImplementedError) as exc:  # sparse, quantized, not made yet
        raise UsageError("safetensors does not hold tensors like these.", why=str(exc), fix=_ELSE) from exc
    steady.order_header(folder / _FILE)
    counted = list(tensors.values()) if isinstance(model, Mapping) else list(model.parameters())
    return ModelCard(
        format=FORMAT, load=f'model.load_state_dict(safetensors.torch.load_file("{_FILE}"), strict={not shared})',
        parameters=sum(one.numel() for one in counted),
        dtype=", ".join(sorted({str(one.dtype).removeprefix("torch.") for one in counted})),
    )  # fmt: skip


def _apart(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """(tensors of which no two lie in the same memory, name → the name of the tensor that it is too)."""
    tensors: dict[str, Any] = {}
    shared: dict[str, str] = {}
    first: dict[tuple[Any, ...], str] = {}
    storages: set[int] = set()
    for name, tensor in state.items():
        memory = tensor.untyped_storage().data_ptr()
        seen_as = tensor.dtype, tensor.is_conj(), tensor.is_neg()  # the two say to negate whatever is read there
        place = (memory, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), *seen_as)
        if memory and place in first:
            shared[name] = first[place]
            continue
        first[place] = name
        kept = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        tensors[name] = kept.clone() if memory in storages else kept
        storages.add(memory)
    return tensors, shared


def load(files: Mapping[str, Path], card: ModelCard, trust: Trust) -> dict[str, Any]:
    """The tensors by name: a state for `load_state_dict` of the class that the card names.

    Raises `UsageError` where several files hold a tensor of one name: they are several models, or states of one.
    """
    safetensors = frameworks.library("safetensors", "safetensors")
    frameworks.library("torch")
    state: dict[str, Any] = {}
    for path in frameworks.with_suffix(files, ".safetensors"):
        with safetensors.safe_open(path, framework="pt") as file:
            names = file.keys()  # a list
            if twice := state.keys() & names:
                raise UsageError(f"{min(twice)} is in several files.", fix="use_model() gives their folder: load one")
            state |= {name: file.get_tensor(name) for name in names}
            noted = file.metadata() or {}
        shared = {name: kept for name, kept in noted.items() if _NOTED.get(name) != kept}
        state |= {name: state[kept] for name, kept in shared.items() if kept in state}
    return state


def predict(model: Any, example: Any) -> Any:
    """What the module answers, as it does after training, without gradients; to several things, if they are a tuple."""
    if isinstance(model, Mapping):
        raise UsageError("A mapping of tensors cannot be asked.", fix="log the module, or give the signature")
    torch = frameworks.library("torch")
    were_training = [part for part in model.modules() if part.training]  # some may be frozen, and stay so
    model.eval()
    try:
        with torch.no_grad():
            if isinstance(example, Mapping):
                return model(**example)
            return model(*example) if isinstance(example, tuple) else model(example)
    finally:
        for part in were_training:
            part.training = True
