"""Checksums of files by content, and removal of results made from other content."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_ISREG
from typing import Any

from tissuestate.checksums import file_checksum
from tissuestate.errors import InputError
from tissuestate.files import atomic

LARGE = 1 << 24  # bytes above which a file of thousands is sampled rather than read whole
_PIECES, _PIECE = 16, 1 << 16  # how many pieces are sampled, and the bytes of each
_SETTLED = 2.0  # seconds after its last change before a file's checksum is remembered


class Checksums:
    """The SHA-256 of files, remembered as long as a file is unchanged on its disk.

    A file put in the place of another has another inode or another time of change, which no copy
    can carry over: then it is read again, so that content alone decides. `memory` is the file in
    which they are remembered.
    """

    def __init__(self, memory: str | Path) -> None:
        self._memory = Path(memory)
        try:
            known = json.loads(self._memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        self._known: dict[str, list[Any]] = known if isinstance(known, dict) else {}
        self._now: dict[str, str | None] = {}

    def full_checksum(self, path: str | Path) -> str | None:
        """The SHA-256 of a file in hexadecimal; None if there is no such file."""
        return self._look_up(str(path), sampled=False)

    def sampled_checksum(self, path: str | Path) -> str | None:
        """SHA-256 of a file up to `LARGE`; of a larger one a digest of size, time and pieces."""
        return self._look_up(str(path), sampled=True)

    def look_up_all(self, paths: Iterable[str | Path], sampled: bool = False) -> None:
        """Compute the checksums of many files in parallel, and remember them."""
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            list(pool.map(lambda path: self._look_up(str(path), sampled), dict.fromkeys(paths)))
        self.save()

    def save(self) -> None:
        """Write the checksums to the memory file; without it, the next run computes them again."""
        try:
            with atomic(self._memory) as temporary:
                temporary.write_text(json.dumps(self._known), encoding="utf-8")
        except OSError:
            return

    def _look_up(self, path: str, sampled: bool) -> str | None:
        file = Path(path).absolute()
        try:
            about = file.stat()
        except OSError:
            return None
        if not S_ISREG(about.st_mode):
            return None
        sampled = sampled and about.st_size > LARGE
        key = f"{file}{'?' if sampled else ''}"
        if key in self._now:
            return self._now[key]
        state = [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
        known = self._known.get(key)
        if isinstance(known, list) and known[:-1] == state:
            self._now[key] = known[-1]
            return known[-1]
        digest = _digest_pieces(file, about) if sampled else _digest_whole(file)
        self._now[key] = digest
        if time.time() - max(about.st_mtime, about.st_ctime) > _SETTLED:
            self._known[key] = [*state, digest]
        return digest


def _digest_whole(file: Path) -> str:
    try:
        return file_checksum(file)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}).") from error


def _digest_pieces(file: Path, about: os.stat_result) -> str:
    """A digest of size, time and pieces that are spread evenly from the first byte to the last."""
    digest = hashlib.sha256(f"{about.st_size} {about.st_mtime_ns}".encode())
    with file.open("rb") as stream:
        for piece in range(_PIECES):
            stream.seek((about.st_size - _PIECE) * piece // (_PIECES - 1))
            digest.update(stream.read(_PIECE))
    return digest.hexdigest()


def digest_of(*values: Any) -> str:
    """A short digest of values that JSON can hold."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def remove_outdated(
    record: str | Path,
    made_from: Mapping[str, str],
    products: Mapping[str, Sequence[str | Path]],
    adopt: bool,
) -> list[str]:
    """Remove results of other inputs than the present ones, and record the present ones.

    made_from: the digest of the inputs of each name. products: the files and folders made from
    them. record: the file with the digests of the last run. adopt: whether products of a name that
    is not in the record are kept.

    Returns the names of which something was removed. Raises InputError if it cannot be removed.
    """
    record = Path(record)
    try:
        before = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    before = before if isinstance(before, dict) else {}
    removed = []
    for name, digest in made_from.items():
        if before.get(name, digest if adopt else None) != digest:
            gone = [_remove(Path(product)) for product in products[name]]
            removed += [name] if any(gone) else []
    now = {**before, **made_from}
    if now != before:
        try:
            with atomic(record) as temporary:
                temporary.write_text(json.dumps(now, indent=0), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{record}: cannot be written ({error.strerror}).") from error
    return removed


def _remove(path: Path) -> bool:
    """Remove a file or folder, and say whether there was one."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.exists() or path.is_symlink():
            path.unlink()
        else:
            return False
    except OSError as error:
        raise InputError(
            f"{path}: was made from other inputs and cannot be removed ({error.strerror}); remove "
            "it by hand."
        ) from error
    return True
