"""Wheels of a package that nobody else has, for an index in a folder."""

from __future__ import annotations

import zipfile
from pathlib import Path


def wheel(folder: Path, version: str) -> None:
    """`tiny`, a module that knows its *version*."""
    folder.mkdir(exist_ok=True)
    about = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as file:
        file.writestr("tiny.py", f"VERSION = {version!r}\n")
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
