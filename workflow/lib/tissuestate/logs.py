"""Logging of scripts: all output to the rule's log file, bad input as one sentence."""

import errno
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tissuestate.errors import InputError


@contextmanager
def log_to(path: str | Path) -> Iterator[None]:
    """Send log records, stdout and stderr to `path` while the block runs.

    An `InputError` ends the process with exit code 1 and its sentence; running out of disk space
    is reported the same way. Any other exception leaves its traceback in the log and is raised
    again.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    stdout, stderr = sys.stdout, sys.stderr
    with Path(path).open("w", buffering=1, encoding="utf-8") as log:
        handler = logging.StreamHandler(log)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        root = logging.getLogger()
        root.addHandler(handler)
        level = root.level
        root.setLevel(logging.INFO)
        logging.captureWarnings(True)
        sys.stdout = sys.stderr = log
        try:
            yield
        except InputError as error:
            print(f"Error: {error}", file=log)
            print(f"Error: {error}", file=stderr)
            sys.exit(1)
        except OSError as error:
            traceback.print_exc(file=log)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            where = error.filename or "the working directory"
            print(f"Error: no space left on the device that holds {where}.", file=stderr)
            sys.exit(1)
        except BaseException:
            traceback.print_exc(file=log)
            raise
        finally:
            sys.stdout, sys.stderr = stdout, stderr
            root.removeHandler(handler)
            root.setLevel(level)
            logging.captureWarnings(False)
