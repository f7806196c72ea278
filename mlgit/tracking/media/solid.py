"""Things in space: point clouds, meshes, molecules."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from mlgit.core import values
from mlgit.tracking.media.shelf import BatchableMedia, Shelf, below, captioned, read_all, source_path

POINTS = "(points, 3): x y z; (points, 4): and a category 1 to 14; (points, 6): and a colour r g b"


class _Solid(BatchableMedia):
    """What is kept as the file it came as; each says of which *endings*."""

    endings: ClassVar[tuple[str, ...]]
    kind: ClassVar[str]

    def __init__(self, data_or_path: Any, caption: str | None = None, file_type: str | None = None) -> None:
        self.caption = caption
        self._file: Path | None = None
        self._content = b""
        what = type(self).__name__
        if isinstance(named := getattr(data_or_path, "name", None), str) and not isinstance(data_or_path, os.PathLike):
            data_or_path = named if Path(named).is_file() else data_or_path
        if isinstance(data_or_path, str | os.PathLike):
            self._file = source_path(data_or_path, what, self.endings)
            self.ending = next((one for one in self.endings if self._file.name.lower().endswith(f".{one}")), "")
        elif callable(getattr(data_or_path, "read", None)):
            if file_type is None:
                raise ValueError(f"{what}: an open file asks for a file_type, one of {', '.join(self.endings)}")
            self._content, self.ending = read_all(data_or_path), file_type if file_type in self.endings else ""
        else:
            self._content, self.ending = self._taken(data_or_path)
        if not self.ending:
            raise ValueError(f"{what}: files are {', '.join(self.endings)}")

    def _taken(self, data: Any) -> tuple[bytes, str]:
        raise TypeError(f"{type(self).__name__}: a path or an open file is asked for, not a {type(data).__name__}")

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The thing as a file."""
        if self._file is not None:
            put = shelf.copy(self.kind, self._file, self.ending)
        else:
            put = shelf.put(self.kind, self._content, self.ending)
        return {"_type": f"{self.kind}-file", **put, **captioned(self.caption)}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The thing that was stored below *folder* as *document*."""
        return cls(below(folder, document["path"]), caption=document.get("caption"))

    @classmethod
    def gallery(cls, items: Sequence[Any], documents: list[dict[str, Any]], /) -> dict[str, Any]:
        """Several under one name: W&B's form, and each whole."""
        document = {
            "_type": cls.kind,
            "filenames": [one["path"].rpartition("/")[2] for one in documents],
            "count": len(documents),
            "items": documents,
        }
        if any(one.caption is not None for one in items):
            document["captions"] = [one.caption or "" for one in items]
        return document


class Object3D(_Solid):
    """A point cloud or a mesh to log: an array, a scene, or a file by its path or open with its *file_type*.

        run.log({"cloud": Object3D(points)})  # or Object3D("mesh.obj")

    An array is (points, 3): x y z; (points, 4): and a category 1 to 14; (points, 6): and a colour r g b, 0 to 255. A
    scene is `{"type": "lidar/beta", "points": …, "boxes": …, "vectors": …}`, as `from_point_cloud` makes it. A file
    ends in pts.json, obj, gltf, glb, babylon or stl. Raises `ValueError` for other shapes and files, `TypeError` for
    values that are none of these, `FileNotFoundError`.
    """

    SUPPORTED_TYPES = endings = ("pts.json", "obj", "gltf", "glb", "babylon", "stl")
    kind = "object3D"

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: str | None = None) -> Self:
        """A path, or an open file with its *file_type*."""
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any) -> Self:
        """An array (points, 3, 4 or 6)."""
        return cls(data)

    @classmethod
    def from_point_cloud(
        cls, points: Iterable[Any], boxes: Iterable[Mapping[str, Any]] = (), vectors: Iterable[Any] | None = None,
        point_cloud_type: str = "lidar/beta",
    ) -> Self:  # fmt: skip
        """A scene: points, with boxes (see `box3d`) and vectors (`{"start": [x, y, z], "end": [x, y, z]}`) around them.

        Raises `ValueError` for another *point_cloud_type*.
        """
        return cls({"type": point_cloud_type, "points": points, "boxes": boxes, "vectors": vectors})

    def _taken(self, data: Any) -> tuple[bytes, str]:
        if isinstance(data, Mapping):
            return json.dumps(_scene(data)).encode(), "pts.json"
        from mlgit.tracking.media.pixels import as_array

        found = as_array(data)
        if found.ndim != 2 or found.shape[1] not in (3, 4, 6) or found.dtype.kind not in "biuf":
            raise ValueError(f"Object3D: an array is {POINTS}; not {found.shape} of {found.dtype}")
        return json.dumps(found.tolist()).encode(), "pts.json"


def _scene(data: Mapping[str, Any]) -> dict[str, Any]:
    if data.get("type") != "lidar/beta":
        raise ValueError(f"Object3D: a scene's type is 'lidar/beta', not {data.get('type')!r}")
    scene: dict[str, Any] = {"type": "lidar/beta"}
    for name in ("vectors", "points", "boxes"):
        part = data.get(name)
        listed = [] if part is None else part.tolist() if hasattr(part, "tolist") else list(part)
        scene[name] = values.plain(listed, where=f"Object3D: {name}")
    return scene


def box3d(
    *, center: Any, size: Any, orientation: Any, color: Any, label: str | None = None, score: float | None = None
) -> dict[str, Any]:
    """A box in space, for a scene of `Object3D`: its eight corners, as *center*, *size* and *orientation* say.

        box = box3d(center=(0, 0, 1), size=(4, 2, 2), orientation=(1, 0, 0, 0), color=(255, 0, 0), label="car")
        run.log({"scene": Object3D.from_point_cloud(points, boxes=[box])})

    *size*: the whole length along each axis; *orientation*: the quaternion (r, x, y, z), of any length but zero;
    *color*: (r, g, b), 0 to 255; *label*: the text beside it; *score*: the confidence. Raises `ValueError` for other
    shapes and for a quaternion that is zero.
    """
    import numpy as np

    middle, extent, turn = (np.asarray(part, dtype=np.float64) for part in (center, size, orientation))
    if middle.shape != (3,) or extent.shape != (3,) or turn.shape != (4,) or not np.linalg.norm(turn):
        raise ValueError("box3d: center and size are three numbers, orientation a quaternion that is not zero")
    r, x, y, z = turn / np.linalg.norm(turn)
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * r), 2 * (x * z + y * r)],
            [2 * (x * y + z * r), 1 - 2 * (x * x + z * z), 2 * (y * z - x * r)],
            [2 * (x * z - y * r), 2 * (y * z + x * r), 1 - 2 * (x * x + y * y)],
        ]
    )
    unit = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], dtype=np.float64)
    corners = middle + (unit * extent / 2) @ turned.T
    return {"corners": corners.tolist(), "color": list(color), "label": label, "score": score}


class Molecule(_Solid):
    """A molecule to log: the path of a file, or an open file with its *file_type*.

    It ends in pdb, pqr, mmcif, mcif, cif, sdf, sd, gro, mol2 or mmtf; `from_rdkit` and `from_smiles` make one. Raises
    `ValueError` for another ending, `TypeError` for what is no file, `FileNotFoundError`.
    """

    SUPPORTED_TYPES = endings = ("pdb", "pqr", "mmcif", "mcif", "cif", "sdf", "sd", "gro", "mol2", "mmtf")
    kind = "molecule"

    @classmethod
    def from_rdkit(
        cls, data_or_path: Any, caption: str | None = None, convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Self:  # fmt: skip
        """A molecule of RDKit, or a mol or sdf file that it reads. Raises `ImportError` without RDKit."""
        from rdkit import Chem
        from rdkit.Chem import AllChem

        if isinstance(data_or_path, str | os.PathLike):
            path = source_path(data_or_path, "Molecule", ("mol", "sdf"))
            read = {".mol": Chem.MolFromMolFile, ".sdf": lambda name: next(iter(Chem.SDMolSupplier(name)), None)}
            data_or_path = read[path.suffix.lower()](str(path))
        if not isinstance(data_or_path, Chem.rdchem.Mol):
            raise TypeError(f"Molecule: a molecule of RDKit is asked for, not a {type(data_or_path).__name__}")
        if convert_to_3d_and_optimize:
            data_or_path = Chem.AddHs(data_or_path)
            AllChem.EmbedMolecule(data_or_path)
            AllChem.MMFFOptimizeMolecule(data_or_path, maxIters=mmff_optimize_molecule_max_iterations)
        return cls(io.StringIO(Chem.rdmolfiles.MolToPDBBlock(data_or_path)), caption=caption, file_type="pdb")

    @classmethod
    def from_smiles(
        cls, data: str, caption: str | None = None, sanitize: bool = True, convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Self:  # fmt: skip
        """A molecule by its SMILES. Raises `ImportError` without RDKit, `ValueError` for what is no SMILES."""
        from rdkit import Chem

        found = Chem.MolFromSmiles(data, sanitize=sanitize)
        if found is None:
            raise ValueError(f"Molecule: {data[:100]!r} is no SMILES")
        return cls.from_rdkit(found, caption, convert_to_3d_and_optimize, mmff_optimize_molecule_max_iterations)
