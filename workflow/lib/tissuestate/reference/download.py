"""Downloads that resume, are verified, and appear under their final name only when complete."""

import logging
import shutil
from pathlib import Path

import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tissuestate.checksums import file_checksum, parse_checksum
from tissuestate.errors import InputError
from tissuestate.files import atomic

_CHUNK = 1 << 16
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)

log = logging.getLogger(__name__)


class _BrokenOffError(Exception):
    """A download that another attempt may finish."""


class _OutOfReachError(_BrokenOffError):
    """A download of which all attempts failed to begin."""


def fetch_file(
    url: str | Path,
    target: str | Path,
    checksum: str | None = None,
    *,
    attempts: int = 6,
    timeout: float = 60.0,
    pause: float = 2.0,
) -> None:
    """Download `url`, or copy a local file, to `target`; nothing is left at `target` on failure.

    checksum: 'md5:...', 'sha256:...' or 'git-blob:...' (git's id of the content). What was loaded
    before an interruption is kept beside the target and continued by the next attempt and, if there
    is a checksum, by the next run. Servers that fail or are out of reach are tried again, at once,
    then after 2 × `pause`, 4 × `pause` ... seconds, or when they ask for it.

    Raises InputError, in a sentence, if the network or server is out of reach, the address is
    wrong, or the content is not the expected one.
    """
    url, target = str(url), Path(target)
    kind, digits = parse_checksum(checksum)
    target.parent.mkdir(parents=True, exist_ok=True)
    if "://" not in url:
        _copy_local(Path(url), target, kind, digits)
        return
    partial = target.with_name(f".{target.name}.part")
    if checksum is None:
        partial.unlink(missing_ok=True)  # nothing would show whether it is of the same file
    retries = Retry(
        total=attempts - 1,
        backoff_factor=pause,
        status_forcelist=_TEMPORARY,
        allowed_methods=["GET"],
    )
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retries))
        for attempt in range(1, attempts + 1):
            try:
                continued = _download_rest(session, url, partial, timeout)
                _verify_content(url, partial, target.name, kind, digits, continued)
                partial.replace(target)
                return
            except _BrokenOffError as error:
                log.warning("%s: %s", url, error)
                if attempt == attempts or isinstance(error, _OutOfReachError):
                    raise InputError(
                        f"{url}: not downloaded after {attempts} attempts ({error}); check the "
                        "network and run again, or give a local copy."
                    ) from error


def _copy_local(source: Path, target: Path, kind: str | None, digits: str) -> None:
    if not source.is_file():
        raise InputError(f"{source}: no such local copy; correct the path in the config.")
    if kind and (found := file_checksum(source, kind)) != digits:
        raise InputError(
            f"{source}: its {kind} is {found}, expected {digits}: it is another file or was "
            "changed; get the right one."
        )
    with atomic(target) as temporary:
        shutil.copyfile(source, temporary)


def _verify_content(
    url: str, partial: Path, name: str, kind: str | None, digits: str, continued: bool
) -> None:
    """Raise InputError, and remove the file, if it is not the expected content."""
    if kind is None:
        with partial.open("rb") as stream:
            zipped = stream.read(2) == b"\x1f\x8b"
        if name.endswith(".gz") and not zipped:
            partial.unlink()
            raise InputError(
                f"{url}: the server sent no gzip file but something else, such as a page; correct "
                "the address."
            )
        log.warning("%s: not verified, since no checksum is given", url)
    elif (found := file_checksum(partial, kind)) != digits:
        partial.unlink()
        if continued:
            raise _BrokenOffError("the part loaded before is of another file")
        raise InputError(
            f"{url}: the content's {kind} is {found}, expected {digits}: it was changed upstream "
            "or on the way; correct the checksum or give a local copy."
        )


def _download_rest(session: requests.Session, url: str, partial: Path, timeout: float) -> bool:
    """Load the rest of `url` into `partial`, and say whether a part was there before.

    Raises _BrokenOffError or InputError.
    """
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "tissuestate", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with _request(session, url, headers, timeout) as answer:
        at = answer.headers.get("Content-Range", "")
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            if at.rpartition("/")[2] == str(have):
                return True  # it is whole already
            partial.unlink()
            raise _BrokenOffError("the part loaded before does not fit the file")
        if not answer.ok:
            raise InputError(
                f"{url}: the server says {answer.status_code} {answer.reason}; correct the address "
                "or give a local copy."
            )
        continued = answer.status_code == requests.codes.partial_content
        if continued and not at.startswith(f"bytes {have}-"):
            partial.unlink()
            raise _BrokenOffError("the server continued at another place")
        try:
            with partial.open("ab" if continued else "wb") as stream:
                for chunk in answer.iter_content(_CHUNK):
                    stream.write(chunk)
        except (exceptions.ChunkedEncodingError, exceptions.ConnectionError) as error:
            size = partial.stat().st_size
            raise _BrokenOffError(f"the connection ended after {size:,} bytes") from error
    return continued


def _request(
    session: requests.Session, url: str, headers: dict[str, str], timeout: float
) -> requests.Response:
    """The answer of a server, with its content to come.

    Raises _OutOfReachError or InputError.
    """
    try:
        return session.get(url, headers=headers, stream=True, timeout=timeout)
    except (exceptions.ConnectionError, exceptions.RetryError, exceptions.Timeout) as error:
        reason = error.args[0] if error.args else error
        raise _OutOfReachError(getattr(reason, "reason", None) or error) from error
    except (exceptions.RequestException, ValueError) as error:
        raise InputError(
            f"{url}: not an address to download from ({error}); correct it."
        ) from error
