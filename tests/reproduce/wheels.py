"""Wheels of a package that nobody else has, for an index in a folder."""

from __future__ import annotations

import zipfile
from importlib import metadata
from pathlib import Path


def wheel(folder: Path, version: str) -> None:
    """`tiny`, a module that knows its *version*."""
    folder.mkdir(parents=True, exist_ok=True)
    about = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as file:
        file.writestr("tiny.py", f"VERSION = {version!r}\n")
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")


def repacked(folder: Path, *names: str) -> dict[str, str]:
    """Wheels of distributions that are installed here, as they are installed; their versions by their names."""
    folder.mkdir(exist_ok=True)
    versions: dict[str, str] = {}
    for name in names:
        one = metadata.distribution(name)
        tag = str(one.read_text("WHEEL")).rpartition("Tag: ")[2].split()[0]
        wheel = folder / f"{name.replace('-', '_')}-{one.version}-{tag}.whl"
        with zipfile.ZipFile(wheel, "w") as file:
            for path in one.files or ():
                if ".." not in path.parts and path.suffix != ".pyc":
                    file.write(path.locate(), path)
        versions[name] = one.version
    return versions
