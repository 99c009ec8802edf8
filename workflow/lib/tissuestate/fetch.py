"""Downloads that resume, are verified, and never lie half-finished under their final name."""

import ftplib
import http.client
import logging
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tissuestate.checksums import file_checksum, parse_checksum
from tissuestate.errors import InputError
from tissuestate.files import atomic

_CHUNK = 1 << 20
_TEMPORARY = {408, 425, 429, 500, 502, 503, 504}

log = logging.getLogger(__name__)


class _TryAgainError(Exception):
    """A failure that another attempt may not meet."""


def fetch(
    url: str | Path,
    target: str | Path,
    checksum: str | None = None,
    *,
    attempts: int = 6,
    timeout: float = 60.0,
    pause: float = 2.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Download `url`, or copy a local file, to `target`; there is nothing at `target` on failure.

    `checksum` is 'md5:...', 'sha256:...' or 'git-blob:...' (git's object id). What was
    loaded before an interruption is kept beside the target and continued by the next attempt, and,
    where there is a checksum, by the next run. Failures that may pass are tried again after
    `pause`, 2 × `pause`, 4 × `pause` ... seconds.

    Raises InputError, in a sentence, where the network or server is out of reach, the address is
    wrong, or the content is not the expected one.
    """
    url, target = str(url), Path(target)
    kind, digest = parse_checksum(checksum)
    target.parent.mkdir(parents=True, exist_ok=True)
    if "://" not in url:
        _copy(Path(url), target, kind, digest)
        return
    partial = target.with_name(f".{target.name}.part")
    if checksum is None:
        partial.unlink(missing_ok=True)  # nothing would tell whether it is of the same file
    for attempt in range(1, attempts + 1):
        try:
            continued = _load(url, partial, timeout)
            _verify(url, partial, target.name, kind, digest, continued)
            partial.replace(target)
            return
        except _TryAgainError as error:
            if attempt == attempts:
                raise InputError(
                    f"{url}: not downloaded after {attempts} attempts ({error}); check the "
                    "network and run again, or give a local copy."
                ) from error
            wait = min(pause * 2 ** (attempt - 1), 120)
            log.warning("%s: %s; trying again in %g s", url, error, wait)
            sleep(wait)


def _copy(source: Path, target: Path, kind: str | None, digest: str) -> None:
    if not source.is_file():
        raise InputError(f"{source}: there is no such local copy; correct the path in the config.")
    if kind and (found := file_checksum(source, kind)) != digest:
        raise InputError(
            f"{source}: its {kind} is {found}, expected {digest}: it is another file or was "
            "changed; get the right one."
        )
    with atomic(target) as temporary:
        shutil.copyfile(source, temporary)


def _verify(
    url: str, partial: Path, name: str, kind: str | None, digest: str, continued: bool
) -> None:
    """Raise InputError, and remove the file, where it is not what was asked for."""
    if kind is None:
        with partial.open("rb") as stream:
            zipped = stream.read(2) == b"\x1f\x8b"
        if name.endswith(".gz") and not zipped:
            partial.unlink()
            raise InputError(
                f"{url}: the server sent no gzip file but something else, such as a page; correct "
                "the address."
            )
        log.warning("%s: not verified, for want of a checksum", url)
    elif (found := file_checksum(partial, kind)) != digest:
        partial.unlink()
        if continued:
            raise _TryAgainError("the part loaded before is of another file")
        raise InputError(
            f"{url}: the content's {kind} is {found}, expected {digest}: it was changed upstream "
            "or on the way; correct the checksum or give a local copy."
        )


def _load(url: str, partial: Path, timeout: float) -> bool:
    """Load the rest of `url` into `partial`; whether a part was there before.

    Raises _TryAgainError or InputError.
    """
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "tissuestate", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            continued = getattr(answer, "status", 200) == 206
            start = have if continued else 0
            if continued and not answer.headers.get("Content-Range", "").startswith(
                f"bytes {have}-"
            ):
                partial.unlink()
                raise _TryAgainError("the server continued at another place")
            length = answer.headers.get("Content-Length")
            with partial.open("ab" if continued else "wb") as stream:
                while chunk := answer.read1(_CHUNK):
                    stream.write(chunk)
        size = partial.stat().st_size
        if length is not None and size != start + int(length):
            raise _TryAgainError(f"the connection ended after {size:,} bytes")
        return continued
    except urllib.error.HTTPError as error:
        if error.code == 416:  # what is there is as long as the file, or longer than it
            _finish_or_restart(error, partial, have)
            return True
        sentence = f"the server says {error.code} {error.reason}"
        if error.code in _TEMPORARY:
            raise _TryAgainError(sentence) from error
        raise InputError(f"{url}: {sentence}; correct the address or give a local copy.") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ValueError | str):
            raise InputError(f"{url}: no address to load from ({error.reason}).") from error
        raise _TryAgainError(_reason(error.reason)) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise InputError(f"{url}: no address to load from ({error}).") from error
    except (http.client.HTTPException, ftplib.Error, EOFError) as error:
        raise _TryAgainError(_reason(error)) from error
    except (ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _TryAgainError(_reason(error)) from error


def _finish_or_restart(error: urllib.error.HTTPError, partial: Path, have: int) -> None:
    """After a refused range: done if the file is whole already, else from the beginning."""
    whole = error.headers.get("Content-Range", "").rpartition("/")[2]
    if whole != str(have):
        partial.unlink()
        raise _TryAgainError("the part loaded before does not fit the file") from error


def _reason(error: object) -> str:
    if isinstance(error, socket.gaierror):
        return "its host is not found: is there a network?"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
