"""Arrays in npz files: written as the same bytes each time, read without running code."""

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tissuestate.errors import InputError
from tissuestate.files import atomic


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
    """Read what `save_arrays` wrote, half precision as single; never executes code from the file.

    Sizes are compared with the file before memory is taken, and the checksums of zip with what is
    read. Raises InputError for a file that does not fit.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_sizes(path, entries)
            return {
                entry.filename.removesuffix(".npy"): _parse_array(archive.read(entry))
                for entry in entries
            }
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise InputError(f"{path}: not a readable npz file ({error}); make it again.") from error


def _check_sizes(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    size = path.stat().st_size
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError(f"its arrays announce more than the file's {size:,} bytes")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{entry.filename} is compressed")


def _parse_array(content: bytes) -> np.ndarray:
    """The array that a npy file holds; its header must announce just the bytes that follow."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    headers = {(1, 0): np.lib.format.read_array_header_1_0}
    read = headers.get(version, np.lib.format.read_array_header_2_0)
    shape, _, dtype = read(stream)
    announced, held = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
    if announced != held:
        raise ValueError(f"an array announces {announced:,} bytes and has {held:,}")
    stream.seek(0)
    array = np.lib.format.read_array(stream, allow_pickle=False)
    return array.astype(np.float32) if array.dtype == np.float16 else array
