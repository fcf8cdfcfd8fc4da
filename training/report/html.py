"""One HTML page that needs nothing else: no network, no script; for phones and screens, in light and dark."""

from collections.abc import Mapping, Sequence
from html import escape

STYLE = (
    """\
:root{color-scheme:light dark;--page:#fff;--card:#f6f7f9;--text:#1b1f24;--soft:#57606a;--line:#d5d9df;
--c0:#0072b2;--c1:#8a8f98;--c2:#d55e00;--c3:#008a64;--c4:#9a5a8a}
@media(prefers-color-scheme:dark){:root{--page:#14171a;--card:#1d2126;--text:#e6e9ec;--soft:#a3acb6;--line:#3a414a;
--c0:#56b4e9;--c1:#9aa2ac;--c2:#e69f00;--c3:#2fc29b;--c4:#d99fc6}}
*{box-sizing:border-box}
body{margin:0;padding:1.2rem;background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main,header,footer{max-width:1080px;margin:0 auto}
h1{font-size:1.6rem;line-height:1.2;margin:.2rem 0 .6rem}h2{font-size:1.15rem;margin:0 0 .3rem}
p{margin:.3rem 0 .7rem;color:var(--soft);max-width:70ch}
.cards{display:flex;flex-wrap:wrap;gap:.7rem;margin:1rem 0;padding:0;list-style:none}
.cards li{background:var(--card);border-radius:.6rem;padding:.6rem .9rem;flex:1 1 8rem}
.cards b{display:block;font-size:1.45rem;line-height:1.3}.cards span{color:var(--soft);font-size:.88rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem}
section{background:var(--card);border-radius:.6rem;padding:1rem;min-width:0}
section.wide{grid-column:1/-1}
svg{display:block;width:100%;max-width:29rem;height:auto;font:12px system-ui,sans-serif;overflow:visible}
svg text{fill:var(--text)}svg .tick,svg .axis{fill:var(--soft);font-size:11.5px}
svg .value{text-anchor:end;font-variant-numeric:tabular-nums}
svg .grid{stroke:var(--line);stroke-width:1}svg .track{stroke:var(--line);stroke-dasharray:1 3}
svg .ideal{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:5 4}
"""
    + "".join(
        f"svg .fill{place}{{fill:var(--c{place})}}"
        f"svg .line{place}{{fill:none;stroke:var(--c{place});stroke-width:2.2}}"
        f"svg .area{place}{{fill:var(--c{place});fill-opacity:.45;stroke:none}}\n"
        for place in range(5)
    )
    + """\
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
tbody th{font-weight:400}thead th{color:var(--soft);font-weight:600}
details{margin-top:.5rem}summary{cursor:pointer;color:var(--soft);font-size:.86rem}
ul.notes{margin:.2rem 0;padding-left:1.1rem}
.verdict{border-left:.35rem solid var(--c3)}.verdict.held{border-left-color:var(--c2)}
footer{color:var(--soft);font-size:.86rem;margin-top:1.2rem}
@media(max-width:30rem){body{padding:.6rem}section{padding:.8rem}}
@media print{section{break-inside:avoid}}
"""
)
"""Colours after Okabe and Ito, which people tell apart whatever colours they see; darker or lighter for contrast."""


def page(title: str, lead: str, cards: Mapping[str, str], sections: Sequence[str], footer: str) -> str:
    """The whole page; `cards` are single figures by what they are. Text is escaped, sections are HTML already."""
    figures = "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for name, value in cards.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>\n{STYLE}</style></head>\n<body><header><h1>{escape(title)}</h1>"
        f'<p>{escape(lead)}</p><ul class="cards">{figures}</ul></header>\n<main class="grid">\n'
        + "\n".join(sections)
        + f"\n</main><footer><p>{escape(footer)}</p></footer></body></html>\n"
    )


def section(title: str, text: str, *content: str, wide: bool = False, kind: str = "") -> str:
    """One titled part of the page; `content` is HTML."""
    classes = " ".join(one for one in ("wide" if wide else "", kind) if one)
    marked = f' class="{classes}"' if classes else ""
    return f"<section{marked}><h2>{escape(title)}</h2><p>{escape(text)}</p>{''.join(content)}</section>"


def table(first: str, titles: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A table whose rows have names; scrolls sideways where it is wider than the page."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in (first, *titles))
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, cells in rows.items()
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def folded(content: str) -> str:
    """What is shown on demand: the numbers of a chart."""
    return f"<details><summary>The numbers</summary>{content}</details>"


def bullets(lines: Sequence[str]) -> str:
    """A list of plain lines."""
    return f'<ul class="notes">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>'
