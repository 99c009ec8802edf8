"""A script's log: bad input and a full disk are one sentence, a defect keeps its traceback."""

import logging
from pathlib import Path

import pytest
from tissuestate.errors import InputError
from tissuestate.logs import log_to


def test_records_and_prints_go_to_the_log(tmp_path: Path) -> None:
    with log_to(tmp_path / "logs" / "x.log"):
        logging.info("twelve samples")
        print("a library's own words")
    text = (tmp_path / "logs" / "x.log").read_text()
    assert "twelve samples" in text and "a library's own words" in text


def test_bad_input_is_one_sentence_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop, log_to(tmp_path / "x.log"):
        raise InputError("sheet.tsv, row 3: no such tissue.")
    assert stop.value.code == 1
    assert capsys.readouterr().err == "Error: sheet.tsv, row 3: no such tissue.\n"
    assert "Traceback" not in (tmp_path / "x.log").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here to fill a disk with")
def test_a_full_disk_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), log_to(tmp_path / "x.log"):
        Path("/dev/full").write_text("one byte too many")
    assert "no space left" in capsys.readouterr().err


def test_a_defect_keeps_its_traceback_and_is_raised(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), log_to(tmp_path / "x.log"):
        1 / 0  # noqa: B018
    assert "Traceback" in (tmp_path / "x.log").read_text()
