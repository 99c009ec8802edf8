"""Checksums of files: SHA-256 for what is made here, and those that others publish."""

import hashlib
from pathlib import Path

from tissuestate.errors import InputError

# Kinds of checksums, and how many hexadecimal digits they have.
KINDS = {"md5": 32, "sha256": 64, "git-blob": 40}


def file_checksum(path: str | Path, kind: str = "sha256") -> str:
    """Checksum of a file's content, in hexadecimal.

    kind: md5, sha256, or git-blob, which is git's id of the content: the SHA-1 of
    'blob <size>\\0' and the content.
    """
    with Path(path).open("rb") as stream:
        state = hashlib.new("sha1" if kind == "git-blob" else kind, usedforsecurity=False)
        if kind == "git-blob":
            state.update(f"blob {Path(path).stat().st_size}\0".encode())
        return hashlib.file_digest(stream, lambda: state).hexdigest()


def parse_checksum(checksum: str | None) -> tuple[str | None, str]:
    """Kind and hexadecimal digits of a checksum such as 'sha256:1f...'; (None, '') of None.

    Raises InputError for any other text.
    """
    if checksum is None:
        return None, ""
    kind, _, digits = checksum.partition(":")
    digits = digits.lower()
    if len(digits) != KINDS.get(kind, -1) or set(digits) - set("0123456789abcdef"):
        raise InputError(
            f"checksum {checksum!r}: expected one of {', '.join(KINDS)}, a colon and the "
            "hexadecimal digits."
        )
    return kind, digits
