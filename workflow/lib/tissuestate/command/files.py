"""The files that the arguments of a command name: paths, patterns, addresses, standard input."""

import http.client
import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from tissuestate.errors import InputError

STDIN = "-"
_CHUNK = 1 << 20
_SECONDS = 60  # without an answer of a server

Received = Callable[[int, int], None]  # sees the bytes that came, and those expected (0: unknown)


@dataclass(frozen=True)
class GivenFile:
    """A file as it was named, where it lies, and why it cannot be had ('' = it can)."""

    name: str
    path: Path
    flaw: str = ""


def find_files(arguments: Sequence[str], folder: Path, received: Received) -> list[GivenFile]:
    """The files of all arguments, each once; what is no file on disk is copied into `folder`.

    A file that cannot be had has the reason; the others are not affected.
    """
    found: dict[str, GivenFile] = {}
    for argument in arguments:
        for name in _expand_pattern(argument):
            key = name if "://" in name or name == STDIN else str(Path(name).resolve())
            if key in found:
                continue
            place = folder / f"{len(found)}"
            try:
                path = _fetch_file(name, place, received)
                found[key] = GivenFile("stdin" if name == STDIN else name, path)
            except InputError as error:
                found[key] = GivenFile(name, Path(name), str(error))
    return list(found.values())


def _expand_pattern(argument: str) -> list[str]:
    """The files of a pattern that the shell did not expand, sorted; any other argument itself."""
    if "://" in argument or not has_magic(argument) or Path(argument).exists():
        return [argument]
    return sorted(glob(argument, recursive=True)) or [argument]  # noqa: PTH207


def _fetch_file(name: str, place: Path, received: Received) -> Path:
    """The path of a file, which is copied to a folder `place` if it is a stream or an address."""
    if name == STDIN:
        if sys.stdin.isatty():
            raise InputError(
                "-: standard input is the keyboard; expected a table from a pipe or a file: "
                "tissuestate classify - < counts.tsv"
            )
        return _save(sys.stdin.buffer, place / "stdin")
    if "://" in name:
        return _download(name, place, received)
    path = Path(name)
    if not path.exists() and has_magic(name):
        raise InputError(f"{name}: no file matches this pattern; correct it.")
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe, as <(zcat x.gz) is
        with path.open("rb") as stream:
            return _save(stream, place / "stream")
    return path


def _save(stream: IO[bytes], path: Path) -> Path:
    path.parent.mkdir()
    with path.open("wb") as copy:
        shutil.copyfileobj(stream, copy, _CHUNK)
    return path


def _download(address: str, place: Path, received: Received) -> Path:
    if urlsplit(address).scheme not in ("http", "https"):
        raise InputError(
            f"{address}: expected an address of http or https; download it with a program that "
            "knows others."
        )
    asked = urllib.request.Request(address, headers={"User-Agent": "tissuestate"})
    try:
        with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:
            place.mkdir()
            path = place / _file_name(address, answer.headers.get_filename())
            expected, size = int(answer.headers.get("Content-Length") or 0), 0
            with path.open("wb") as copy:
                while chunk := answer.read(_CHUNK):
                    size += copy.write(chunk)
                    received(size, expected)
    except urllib.error.HTTPError as error:
        raise InputError(
            f"{address}: the server answers {error.code} ({error.reason}); correct the address."
        ) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{address}: cannot be downloaded ({reason}); correct the address, or try again."
        ) from error
    if size < expected:
        raise InputError(f"{address}: {size:,} of {expected:,} bytes came; try again.")
    return path


def _file_name(address: str, stated: str | None) -> str:
    """The name of a download: as the server states it, or the end of the address."""
    name = stated or unquote(urlsplit(address).path.rstrip("/").rpartition("/")[2])
    return re.sub(r"[^\w.+=@-]+", "_", name).lstrip(".")[-100:] or "download"
