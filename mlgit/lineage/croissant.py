"""A dataset as Croissant (pure): JSON-LD of MLCommons' format 1.0, with its files, and the fields of its tables.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import mimetypes
import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlgit.core import escape, figures

FILE = "croissant.json"
_MANY = 100
"""So many files are listed one by one; more, but for tables, are told by what they end with."""
_ENCODINGS = {
    ".csv": "text/csv", ".tsv": "text/tab-separated-values", ".jsonl": "application/jsonlines",
    ".ndjson": "application/jsonlines", ".parquet": "application/x-parquet",
}  # fmt: skip
_TYPES = {
    "int": "sc:Integer", "float": "sc:Float", "double": "sc:Float", "bool": "sc:Boolean", "date": "sc:Date",
    "timestamp": "sc:DateTime",
}  # fmt: skip
_CONTEXT: Mapping[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract", "field": "cr:field",
    "fileObject": "cr:fileObject", "fileProperty": "cr:fileProperty", "fileSet": "cr:fileSet", "format": "cr:format",
    "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated",
    "replace": "cr:replace", "samplingRate": "cr:samplingRate", "sc": "https://schema.org/",
    "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
"""What every document of Croissant 1.0 begins with."""


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a dataset."""

    path: str
    """Inside of it."""
    address: str = ""
    """Where it lies, if that is elsewhere."""
    md5: str = ""
    sha256: str = ""
    size: int | None = None
    columns: Mapping[str, str] | None = None
    """Of a table, name → type as `artifacts.shapes` has it."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A version of a dataset."""

    name: str
    version: str
    """`v2`, or the content's hash."""
    description: str = ""
    published: float = 0.0
    """Seconds since the epoch."""
    license: str | None = None
    by: str = ""
    files: Sequence[File] = ()


def render(dataset: Dataset) -> dict[str, Any]:
    """The document, to lie beside the files: their addresses are paths inside the dataset."""
    one_by_one = [file for file in dataset.files if len(dataset.files) <= _MANY or file.columns or file.address]
    others = Counter(
        posixpath.splitext(file.path)[1] for file in dataset.files if len(dataset.files) > _MANY and not file.columns
    )
    told = {
        "@context": dict(_CONTEXT), "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset.name, "description": dataset.description or f"{dataset.name}, as mlgit and DVC keep it",
        "version": _semantic(dataset.version), "alternateName": f"{dataset.name}:{dataset.version}",
        "license": dataset.license, "creator": {"@type": "sc:Person", "name": dataset.by} if dataset.by else None,
        "datePublished": figures.moment(dataset.published),
        "distribution": [*map(_file, one_by_one), *(_file_set(ending) for ending in sorted(others))],
        "recordSet": [_record_set(file, file.columns) for file in one_by_one if file.columns],
    }  # fmt: skip
    return {key: value for key, value in told.items() if value not in (None, [])}


def _semantic(version: str) -> str:
    """The third version, v2, as `2.0.0`: Croissant asks for SemVer; a hash stays what it is."""
    return f"{version[1:]}.0.0" if version[:1] == "v" and version[1:].isdecimal() else version


def _file(file: File) -> dict[str, Any]:
    told = {
        "@type": "cr:FileObject", "@id": escape.identifier(file.path), "name": file.path,
        "contentUrl": file.address or file.path,
        "encodingFormat": _encoding(posixpath.splitext(file.path)[1]),
        "contentSize": f"{file.size} B" if file.size is not None else "",
        "md5": file.md5, "sha256": file.sha256,
    }  # fmt: skip
    return {key: value for key, value in told.items() if value}


def _file_set(ending: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet", "@id": f"files{ending}", "name": f"files{ending}", "includes": f"**/*{ending}",
        "encodingFormat": _encoding(ending),
    }  # fmt: skip


def _encoding(ending: str) -> str:
    found = _ENCODINGS.get(ending.lower()) or mimetypes.types_map.get(ending.lower())
    return found or "application/octet-stream"


def _record_set(file: File, columns: Mapping[str, str]) -> dict[str, Any]:
    key = f"records/{escape.identifier(file.path)}"
    fields = [
        {
            "@type": "cr:Field", "@id": f"{key}/{escape.identifier(column)}", "name": column, "dataType": _type(kind),
            "source": {"fileObject": {"@id": escape.identifier(file.path)}, "extract": {"column": column}},
        }
        for column, kind in columns.items()
    ]  # fmt: skip
    return {"@type": "cr:RecordSet", "@id": key, "name": f"records of {file.path}", "field": fields}


def _type(kind: str) -> str:
    """The type of a column, as `artifacts.shapes` or Arrow calls it, in schema.org's words."""
    plain = kind.removeprefix("u").rstrip("0123456789").partition("[")[0]
    return _TYPES.get(plain, "sc:Text")
