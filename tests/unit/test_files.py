"""Files appear whole or not at all, and equal arrays make equal bytes."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tissuestate.arrays import load_arrays, save_arrays
from tissuestate.errors import InputError
from tissuestate.files import atomic
from tissuestate.refusals import read_refusal, write_refusal


def test_a_failed_write_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "table.tsv"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_arrays_are_equal_after_reading_and_written_with_equal_bytes(tmp_path: Path) -> None:
    arrays = {"x": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "bc"])}
    save_arrays(tmp_path / "one.npz", arrays)
    save_arrays(tmp_path / "two.npz", arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    back = load_arrays(tmp_path / "one.npz")
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)


def test_a_refusal_is_one_line_in_the_place_of_any_file(tmp_path: Path) -> None:
    write_refusal(tmp_path / "a.bam", "P1.fq: no FASTQ\nat line 3")
    assert (tmp_path / "a.bam").read_bytes() == b"refused: P1.fq: no FASTQ at line 3\n"
    assert read_refusal(tmp_path / "a.bam") == "P1.fq: no FASTQ at line 3"
    save_arrays(tmp_path / "x.npz", {"a": np.zeros(3)})
    (tmp_path / "empty").write_bytes(b"")
    assert read_refusal(tmp_path / "x.npz") == "" == read_refusal(tmp_path / "empty")


def test_arrays_of_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(TypeError, match="Python objects"):
        save_arrays(tmp_path / "x.npz", {"bad": objects})
    np.savez(tmp_path / "pickled.npz", bad=objects)
    with pytest.raises(InputError, match=r"pickled\.npz"):
        load_arrays(tmp_path / "pickled.npz")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(InputError, match=r"x\.npz"):
        load_arrays(tmp_path / "x.npz")


def _npz(path: Path, header: bytes, body: bytes = b"\0" * 64) -> Path:
    text = header + b"\n"
    magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", magic + text + body)
    return path


@pytest.mark.parametrize("shape", ["(10**12,)", "(1000000000000,)", "(7,)", "(9,)", "(-1, -8)"])
def test_an_array_with_other_bytes_than_announced_is_refused(shape, tmp_path: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': %s}"
    good = _npz(tmp_path / "good.npz", (header % "(8,)").encode())
    assert load_arrays(good)["x"].tolist() == [0] * 8
    with pytest.raises(InputError, match=r"bad\.npz: not a readable npz"):
        load_arrays(_npz(tmp_path / "bad.npz", (header % shape).encode()))


def test_every_changed_byte_of_the_values_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    save_arrays(path, {"x": np.arange(50.0), "y": np.arange(5)})
    content = path.read_bytes()
    start = content.index(np.arange(50.0).tobytes())
    for place in range(start, start + 400, 13):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="CRC"):
            load_arrays(path)


def test_an_entry_longer_than_the_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    save_arrays(path, {"x": np.arange(50.0)})
    content = path.read_bytes()
    place = content.index(b"PK\x01\x02")
    sizes = struct.pack("<II", 2**31, 2**31)
    path.write_bytes(content[: place + 20] + sizes + content[place + 28 :])
    with pytest.raises(InputError, match=r"x\.npz: .* announce more than"):
        load_arrays(path)
