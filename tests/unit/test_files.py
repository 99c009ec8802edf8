"""Files appear whole or not at all, and equal arrays make equal bytes."""

from pathlib import Path

import numpy as np
import pytest
from tissuestate.errors import InputError
from tissuestate.files import atomic, load_arrays, refusal, save_arrays, write_refusal


def test_a_failed_write_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "table.tsv"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_arrays_come_back_and_equal_arrays_make_equal_bytes(tmp_path: Path) -> None:
    arrays = {"x": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "bc"])}
    save_arrays(tmp_path / "one.npz", arrays)
    save_arrays(tmp_path / "two.npz", arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    back = load_arrays(tmp_path / "one.npz")
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)


def test_a_refusal_is_one_line_in_the_place_of_any_file(tmp_path: Path) -> None:
    write_refusal(tmp_path / "a.bam", "P1.fq: no FASTQ\nat line 3")
    assert (tmp_path / "a.bam").read_bytes() == b"refused: P1.fq: no FASTQ at line 3\n"
    assert refusal(tmp_path / "a.bam") == "P1.fq: no FASTQ at line 3"
    save_arrays(tmp_path / "x.npz", {"a": np.zeros(3)})
    (tmp_path / "empty").write_bytes(b"")
    assert refusal(tmp_path / "x.npz") == "" == refusal(tmp_path / "empty")


def test_objects_are_refused_on_the_way_in_and_out(tmp_path: Path) -> None:
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
