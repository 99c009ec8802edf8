"""A progress bar on the terminal, for long work."""

import sys
from typing import Any, Self

import click

from tissuestate.advance import Advance

FEW = 20  # samples that need no bar


class Progress:
    """Shows on standard error how far the work is, if that is a terminal.

    steps: how often each sample is counted, as it is read, called and written.
    """

    def __init__(self, quiet: bool, steps: int) -> None:
        self.is_shown = not quiet and sys.stderr.isatty()
        self.steps = steps
        self._bar: Any = None
        self._line = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()
        if self._bar is not None:
            self._bar.render_finish()

    def show_download(self, size: int, expected: int) -> None:
        """Show how many bytes came, of those expected (0: not known)."""
        if self.is_shown:
            share = f" of {expected / 1e6:.1f}" if expected else ""
            self._line = f"Downloading: {size / 1e6:.1f}{share} MB"
            click.echo(f"\r{self._line}", nl=False, err=True)

    def begin(self, samples: int) -> Advance:
        """Begin with so many samples; call `advance` with those that are done."""
        self._end_line()
        if self.is_shown and samples > FEW:
            label = f"{samples:,} samples"
            self._bar = click.progressbar(length=samples * self.steps, label=label, file=sys.stderr)
            self._bar.render_progress()
        return self.advance

    def advance(self, samples: int) -> None:
        """Show that a step of so many samples is done."""
        if self._bar is not None:
            self._bar.update(samples)

    def _end_line(self) -> None:
        if self._line:
            click.echo(err=True)
            self._line = ""
