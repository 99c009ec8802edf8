"""Small self-contained HTML pages: one file, no scripts, nothing fetched from anywhere."""

import base64
import io
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #1a1a1a; background: #fff;
  margin: 0 auto; padding: 1rem; max-width: 60rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0.3rem 0 0.8rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 1.8rem 0 0.5rem; }
p { margin: 0.4rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 0.6rem 0 1.1rem; }
table { border-collapse: collapse; font-size: 0.9rem; }
caption { text-align: left; color: #555; padding-bottom: 0.3rem; }
th, td { padding: 0.25rem 0.8rem 0.25rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #e5e5e5; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.note { border-left: 4px solid #0072B2; background: #f2f7fb; padding: 0.5rem 0.8rem; }
.warning { border-left: 4px solid #D55E00; background: #fdf3ec; padding: 0.5rem 0.8rem;
  margin: 0.5rem 0; }
.bar { display: grid; grid-template-columns: minmax(7rem, 11rem) 1fr 4.2rem; gap: 0.6rem;
  align-items: center; font-size: 0.9rem; margin: 0.15rem 0; }
.bar span { overflow-wrap: anywhere; }
.track { background: #eee; height: 0.9rem; }
.fill { background: #0072B2; height: 100%; }
.bar .value { text-align: right; font-variant-numeric: tabular-nums; }
.fill.against { background: #D55E00; }
.answers { display: flex; flex-wrap: wrap; gap: 0.6rem; margin: 0 0 1rem; }
.answer { flex: 1 1 15rem; background: #f2f7fb; border-left: 4px solid #0072B2;
  padding: 0.4rem 0.8rem; }
.answer small { display: block; }
.answer.none { background: #fdf3ec; border-color: #D55E00; }
.answer strong { font-size: 1.3rem; line-height: 1.25; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: 0.9rem; margin: 0.3rem 0; }
h3 { font-size: 1rem; margin: 0.9rem 0 0.3rem; }
.map { position: relative; max-width: 34rem; }
.star { position: absolute; transform: translate(-50%, -56%); font-size: 1.7rem; line-height: 1;
  color: #FFD400; -webkit-text-stroke: 1.2px #000; }
.strip { display: block; width: 100%; max-width: 26rem; height: auto; }
img { display: block; max-width: 100%; height: auto; }
small, .small { font-size: 0.85rem; color: #555; }
"""


def page(title: str, body: Iterable[str]) -> str:
    """A whole HTML document of the given title (plain text) and body (HTML)."""
    content = "\n".join(body)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{content}\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """A section's heading."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text; `kind` is '', 'note', 'warning' or 'small'."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def items(texts: Iterable[str]) -> str:
    """A list of plain texts."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def number(value: Any) -> str:
    """A number as a reader wants it: counts whole, shares with three decimals, nothing for NaN."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        return f"{value:,.3f}" if abs(float(value)) < 100 else f"{value:,.0f}"
    return str(value)


def table(frame: pd.DataFrame, caption: str = "") -> str:
    """A frame as an HTML table, without its index; numbers to the right."""
    right = [pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]

    def row(cells: Iterable[Any], tag: str) -> str:
        parts = [
            f"<{tag}{' class=number' if align else ''}>{escape(number(cell))}</{tag}>"
            for cell, align in zip(cells, right, strict=True)
        ]
        return "<tr>" + "".join(parts) + "</tr>"

    head = row([str(name).replace("_", " ") for name in frame.columns], "th")
    columns = [frame.iloc[:, position].tolist() for position in range(frame.shape[1])]
    body = "".join(row(cells, "td") for cells in zip(*columns, strict=True))
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    content = f"{title}<thead>{head}</thead><tbody>{body}</tbody>"
    return f'<div class="scroll"><table>{content}</table></div>'


def bars(shares: Mapping[str, float]) -> str:
    """Horizontal bars of shares between 0 and 1, each with its name and percentage."""
    rows = []
    for name, share in shares.items():
        width = 100 * min(max(share, 0.0), 1.0)
        rows.append(
            f'<div class="bar"><span>{escape(name)}</span><div class="track">'
            f'<div class="fill" style="width:{width:.1f}%"></div></div>'
            f'<span class="value">{100 * share:.1f} %</span></div>'
        )
    return "".join(rows)


def signed_bar(name: str, remark: str, value: float, largest: float) -> str:
    """A bar of |value| on a scale up to `largest`, blue above zero and orange below."""
    width = 100 * min(abs(value) / largest, 1.0)
    side = "" if value >= 0 else " against"
    return (
        f'<div class="bar"><span>{escape(name)} <small>{escape(remark)}</small></span>'
        f'<div class="track"><div class="fill{side}" style="width:{width:.1f}%"></div></div>'
        f'<span class="value">{value:+.2f}</span></div>'
    )


def picture(png: bytes, alternative: str) -> str:
    """A PNG inside the page."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escape(alternative, quote=True)}" src="data:image/png;base64,{data}">'


def legend(marks: Mapping[str, tuple[str, str]]) -> str:
    """What the marks of a picture mean: {name: (character, colour)}."""
    entries = [
        f'<span><span style="color:{colour}">{character}</span> {escape(name)}</span>'
        for name, (character, colour) in marks.items()
    ]
    return f'<div class="legend">{"".join(entries)}</div>'


def figure_bytes(figure: Any, dpi: int = 110) -> bytes:
    """A matplotlib figure as the bytes of a PNG without a time stamp."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
