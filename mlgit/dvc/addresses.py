"""Where a project's bytes are, as DVC's configuration in git says it, and as anybody may know it (pure)."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass

_SHOWN = ("url", "endpointurl", "region")
"""The settings of a remote that are nobody's secret."""
_SECTION = re.compile(r"^'?remote \"(?P<name>[A-Za-z0-9_.-]+)\"'?$")
_SCHEMES = ("http", "https", "s3", "gs", "azure", "oss", "ssh", "webdav", "webdavs", "hdfs", "webhdfs", "gdrive")


@dataclass(frozen=True, kw_only=True)
class Address:
    """A DVC remote by its address."""

    name: str
    url: str
    endpointurl: str = ""
    region: str = ""

    def of(self, content: str) -> str:
        """Where the object *content*, a hash of DVC's, is there."""
        return f"{self.url.rstrip('/')}/files/md5/{content[:2]}/{content[2:]}"

    @property
    def is_sound(self) -> bool:
        """Whether it can be taken up from elsewhere: an address of a store, and nothing of this machine's."""
        said = (self.url, self.endpointurl or "https://", self.region)
        return (
            all(text.isprintable() and "'" not in text and '"' not in text for text in said)
            and said[0].partition("://")[0] in _SCHEMES and "://" in said[0]
            and said[1].startswith(("http://", "https://"))
            and re.fullmatch(r"[A-Za-z0-9_.-]+", self.name) is not None
        )  # fmt: skip

    @property
    def config(self) -> bytes:
        """DVC's configuration with it as the default remote."""
        lines = [f"    {key} = {value}\n" for key in _SHOWN if (value := getattr(self, key))]
        head = f"[core]\n    analytics = false\n    check_update = false\n    remote = {self.name}\n"
        return f"{head}['remote \"{self.name}\"']\n{''.join(lines)}".encode()


def default(config: bytes) -> Address | None:
    """The default remote that DVC's *config* names, without its password; None where there is none, or it is local."""
    known = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        known.read_string(config.decode())
    except (configparser.Error, UnicodeDecodeError):
        return None
    name = known.get("core", "remote", fallback="").strip().strip("'\"")
    for section in known.sections():
        if (found := _SECTION.match(section)) and found["name"] == name:
            return _address(name, known[section])
    return None


def _address(name: str, settings: Mapping[str, str]) -> Address | None:
    said = {key: re.sub(r"(\w+://)[^/\s@]*@", r"\1", settings[key].strip("'\"")) for key in _SHOWN if key in settings}
    found = Address(name=name, **said) if "url" in said else None
    return found if found and found.is_sound else None


def remotes(config: bytes) -> bytes:
    """What DVC's *config* says of remotes, and which is the default: its cache is that of who works there."""
    kept, lines = False, []
    for line in config.splitlines(keepends=True):
        if line.lstrip().startswith(b"["):
            kept = line.strip().strip(b"[]'\" ").startswith((b"core", b"remote "))
        if kept:
            lines.append(line)
    return b"".join(lines)
