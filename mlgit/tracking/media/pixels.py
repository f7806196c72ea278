"""Arrays as pictures: any shape and dtype that people log, as 8-bit pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "bmp": "BMP", "webp": "WEBP"}

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

CHANNELS = (1, 2, 3, 4)
"""Grey, grey with alpha, colour, colour with alpha."""
ACCEPTED = "(height, width), (height, width, 1 to 4 channels), (channels, height, width), or a batch of these"


def is_torch(value: Any) -> bool:
    """Whether *value* is a tensor of PyTorch, which puts the channels first."""
    return any(kind.__module__.partition(".")[0] == "torch" for kind in type(value).__mro__)


def as_array(value: Any) -> Array:
    """*value* as an array of numpy: a tensor of PyTorch, TensorFlow or JAX, an array, nested lists."""
    import numpy as np

    if is_torch(value):
        value = value.detach().cpu()
        value = (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    elif not isinstance(value, np.ndarray) and callable(getattr(value, "numpy", None)):
        value = value.numpy()
    found: Array = np.asarray(value)
    return found


def picture(value: Any, *, normalize: bool = True) -> Array:
    """*value* as pixels, (height, width) or (height, width, channels) of uint8; a batch becomes one sheet.

    Raises `ValueError` for a shape that is no picture's, `TypeError` for values that are no numbers.
    """
    channels_first = is_torch(value)
    found = as_array(value)
    shape = found.shape
    if found.ndim > 2:
        found = _without_ones(found, channels_first=channels_first)
    if found.size == 0 or found.ndim not in (2, 3, 4):
        raise ValueError(f"no picture has the shape {shape}; accepted are {ACCEPTED}")
    found = eight_bits(found, normalize=normalize)
    if found.ndim == 2:
        return found
    if found.ndim == 3:
        return _channels_last(found, shape, first=channels_first)
    import numpy as np

    return sheet(np.stack([_channels_last(one, shape, first=channels_first) for one in found]))


def _without_ones(found: Array, *, channels_first: bool) -> Array:
    """Axes of length one tell nothing, save those of a batch of grey pictures, which `_channels_last` takes away."""
    while found.ndim > 3 and found.shape[0] == 1:
        found = found[0]
    if found.ndim > 3:
        return found
    channels = found.shape[0 if channels_first else 2]
    if found.shape[0] == 1 and (channels_first or channels not in (1, 3, 4)):
        return found.squeeze(0)
    return found.squeeze(2) if channels == 1 and not channels_first else found


def _channels_last(found: Array, shape: tuple[int, ...], *, first: bool) -> Array:
    leads, trails = found.shape[0] in CHANNELS, found.shape[2] in CHANNELS
    if leads and (first or not trails):
        found = found.transpose(1, 2, 0)
    elif not trails:
        raise ValueError(f"no picture has the shape {shape}; accepted are {ACCEPTED}")
    return found[..., 0] if found.shape[2] == 1 else found


def eight_bits(found: Array, *, normalize: bool = True) -> Array:
    """Values as 0 to 255. What fits is taken as it is; fractions within 0 to 1 are of 255; truth is white.

    Whatever else is negative or beyond is spread from its least to its greatest value, 16 bits from 0 to 65,535.
    Nan is black, the infinities are the ends. With *normalize* off nothing is spread: what does not fit is cut off.
    """
    import numpy as np

    if found.dtype == np.uint8:
        return found.copy()
    if found.dtype == np.bool_:
        return np.where(found, 255, 0).astype(np.uint8)
    if found.dtype.kind not in "iuf":
        raise TypeError(
            f"no picture has values of the type {found.dtype}; accepted are bool, whole numbers and fractions"
        )
    values: Array = found.astype(np.float64 if found.dtype.itemsize > 4 else np.float32)
    finite = values[np.isfinite(values)] if found.dtype.kind == "f" else values
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if not normalize:
        low, high = 0.0, 255.0
    elif found.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif found.dtype == np.uint16:
        low, high = 0.0, 65535.0
    if high - low > 3e38:  # beyond what the type holds
        values, low, high = values / 2, low / 2, high / 2
    if (low, high) != (0.0, 255.0):
        values = (values - low) / ((high - low) or 1.0) * 255.0
    values = np.nan_to_num(values, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    return np.clip(values, 0, 255).astype(np.uint8)


def sheet(batch: Array) -> Array:
    """Pictures of a batch side by side, about as wide as high; what is left over is black."""
    import math

    import numpy as np

    columns = math.ceil(math.sqrt(len(batch)))
    rows = math.ceil(len(batch) / columns)
    missing = rows * columns - len(batch)
    whole = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)]) if missing else batch
    tiled = whole.reshape(rows, columns, *batch.shape[1:]).swapaxes(1, 2)
    return tiled.reshape(rows * batch.shape[1], columns * batch.shape[2], *batch.shape[3:])


def as_pil(pixels: Any, mode: str | None) -> Any:
    """Pixels as PIL has them, in *mode*."""
    from PIL import Image

    found = Image.fromarray(pixels) if hasattr(pixels, "__array_interface__") and not _is_pil(pixels) else pixels
    return found.convert(mode) if mode and mode != found.mode else found


def _is_pil(value: Any) -> bool:
    return isinstance(value.size, tuple)


def encoded(pixels: Any, ending: str, mode: str | None = None) -> bytes:
    """Pixels as the bytes of a picture file."""
    found = as_pil(pixels, mode)
    if ending in ("jpg", "jpeg", "bmp") and found.mode not in ("L", "RGB", "CMYK"):
        found = found.convert("RGB")  # these know no transparency
    elif ending in ("png", "webp") and found.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        found = found.convert("RGB")
    target = io.BytesIO()
    found.save(target, FORMATS[ending])
    return target.getvalue()
