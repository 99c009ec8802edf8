"""Writing files so that a reader never meets half of one."""

import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tissuestate.errors import InputError


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the name, on failure it is gone.

    The temporary name keeps the suffixes of `path`, from which many writers infer the format.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write numeric and string arrays as an uncompressed npz whose bytes depend on them alone."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            array = np.asarray(array)
            if array.dtype.hasobject:
                raise TypeError(f"array {name!r} holds Python objects")
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getbuffer())


def load_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read what `save_arrays` wrote; never executes code from the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()  # np.load would take a file of another kind for an array
        with np.load(path, allow_pickle=False) as arrays:
            return {name.removesuffix(".npy"): arrays[name] for name in names}
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise InputError(f"{path}: not a readable npz file ({error}); make it anew.") from error


REFUSED = b"refused: "  # how a file begins that a job wrote in place of what it could not make


def refusal(path: str | Path) -> str:
    """Why a sample was refused, where this stands in the place of one of its files; else ''."""
    with Path(path).open("rb") as handle:
        if handle.read(len(REFUSED)) != REFUSED:
            return ""
        return handle.readline().decode("utf-8", errors="replace").strip()


def write_refusal(path: str | Path, sentence: str) -> None:
    """Write in the place of a sample's file why it was refused, in one line."""
    with atomic(path) as temporary:
        text = " ".join(sentence.splitlines())
        temporary.write_bytes(REFUSED + text.encode("utf-8") + b"\n")
