"""Documents from templates: functions return facts, the templates hold the words."""

import base64
import io
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from tissuestate.report import shares, wording

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, facts: Mapping[str, Any]) -> str:
    """The text of a template with its facts filled in.

    `template` is a file of the templates' folder. In `*.html.j2` and `*.svg.j2` facts are
    text, never markup. A fact that a template needs and `facts` lacks is an error
    (`jinja2.UndefinedError`).
    """
    return _environment().get_template(template).render(facts)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and (".html." in name or ".svg." in name),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": number,
        "interval": with_interval,
        "signed": signed,
        "columns": _columns,
        "rows": _rows,
        "base64": lambda data: base64.b64encode(data).decode("ascii"),
        "head_title": wording.head_title,
        "class_title": wording.class_title,
        "model_title": wording.model_title,
        "metric_title": wording.metric_title,
        "measure_title": wording.measure_title,
        "percent": percent,
        "share_of": _share_of,
        "cell": cell,
        "upper_first": lambda text: text[:1].upper() + text[1:],
        "pairs_of_same": lambda values: [(value, value) for value in values],
    }
    return environment


def number(value: Any) -> str:
    """A number as text: counts whole, shares with three decimals, nothing for NaN."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        return f"{value:,.3f}" if abs(float(value)) < 100 else f"{value:,.0f}"
    return str(value)


def with_interval(value: float, low: float, high: float) -> str:
    """A figure with its interval in brackets, unless resampling showed no spread."""
    if np.isnan(value):
        return "not computed"
    return f"{value:.3f} ({low:.3f}–{high:.3f})" if low < high else f"{value:.3f}"


def signed(value: float) -> str:
    """A difference with its sign, zero without a minus; nothing for NaN."""
    return "" if np.isnan(value) else f"{value:+z.3f}"


def figure_bytes(figure: Any, dpi: int = 110) -> bytes:
    """A matplotlib figure as the bytes of a PNG without a time stamp."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def percent(share: float, digits: int = 0) -> str:
    """A share between 0 and 1 as a percentage."""
    return f"{share:.{digits}%}"


@jinja2.pass_eval_context
def _share_of(context: jinja2.nodes.EvalContext, hits: int, samples: int) -> str:
    """A share as counts with its interval, which a page does not break."""
    text = shares.share_text(hits, samples)
    counts, bracket, rest = text.partition("(")
    if not (context.autoescape and bracket):
        return text
    return counts + Markup('<span class="whole">{}</span>').format(bracket + rest)


def cell(text: Any) -> str:
    """A text as the cell of a Markdown table, without line breaks and with bars escaped."""
    return " ".join(str(text).split()).replace("|", "\\|")


def _columns(frame: pd.DataFrame) -> Iterator[tuple[str, bool]]:
    """Each column's name and whether it holds numbers."""
    for name, dtype in frame.dtypes.items():
        yield str(name).replace("_", " "), pd.api.types.is_numeric_dtype(dtype)


def _rows(frame: pd.DataFrame) -> Iterator[list[tuple[Any, bool]]]:
    """The cells of each row, each with whether its column holds numbers."""
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    # By columns: a row of a frame of mixed types would turn counts into floats.
    cells = [frame.iloc[:, position].tolist() for position in range(frame.shape[1])]
    for row in zip(*cells, strict=True):
        yield list(zip(row, numeric, strict=True))
