"""Checksums of files, against git and the tools that publish them."""

import subprocess

import numpy as np
import pytest
from tissuestate.checksums import file_checksum, parse_checksum
from tissuestate.errors import InputError

CONTENT = np.random.default_rng(0).bytes(3_000_000)


@pytest.mark.parametrize(
    ("kind", "command"),
    [("sha256", "sha256sum"), ("md5", "md5sum"), ("git-blob", "git hash-object")],
)
@pytest.mark.parametrize("content", [b"", CONTENT], ids=["empty", "3 MB"])
def test_a_checksum_equals_that_of_the_usual_tool(kind, command, content, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(content)
    run = subprocess.run([*command.split(), path], capture_output=True, text=True, check=True)
    digits = run.stdout.split()[0]
    assert file_checksum(path, kind) == digits
    assert parse_checksum(f"{kind}:{digits.upper()}") == (kind, digits)


def test_results_record_sha256(tmp_path):
    (tmp_path / "x").write_bytes(CONTENT)
    assert file_checksum(tmp_path / "x") == file_checksum(tmp_path / "x", "sha256")


@pytest.mark.parametrize(
    "checksum", ["sha256:1234", "abc", "crc:00", "md5:" + "z" * 32, "sha1:" + "0" * 40, ""]
)
def test_a_malformed_checksum_is_refused(checksum):
    with pytest.raises(InputError, match="expected one of md5, sha256, git-blob"):
        parse_checksum(checksum)


def test_a_missing_checksum_is_none():
    assert parse_checksum(None) == (None, "")
