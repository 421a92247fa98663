"""A run as one HTML page: figures, and the percentile curve, rate, lag and errors over time.

Owns the page. Nothing in it comes from elsewhere, and no script: it can be mailed and kept.
"""

from html import escape
from typing import Any, Final

from gossamer.loadtest.histogram import bucket_top_us
from gossamer.loadtest.output.charts import ChartLine, chart, even_axis, nine_of, nines_axis
from gossamer.loadtest.output.hdrlog import lanes_of
from gossamer.loadtest.report import (
    connections_shown,
    error_line,
    errors_shown,
    faults_rows,
    human_bytes,
    human_us,
    listed,
    shown_us,
    threshold_line,
    unanswered_shown,
)

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2430;--paper:#fff;--soft:#68707d;--grid:#e2e5ea;--a:#1f6fd1;
--b:#d1602a;--c:#7a4fc0;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--paper:#14181f;--soft:#98a1ae;--grid:#2b323d;
--a:#6aa9f5;--b:#f0965f;--c:#b49af0;--bad:#f2837a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:46rem;padding:1rem;font:15px/1.45 system-ui,sans-serif;color:var(--ink);
background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.3rem;margin:.2rem 0}h2{font-size:1rem;margin:1.4rem 0 .3rem}
table{border-collapse:collapse;width:100%}
td,th{padding:.2rem .5rem .2rem 0;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr+tr td,tr+tr th{border-top:1px solid var(--grid)}
th{font-weight:normal;color:var(--soft);overflow-wrap:normal}
figure{margin:1.2rem 0}svg{width:100%;height:auto;display:block}svg text{font-size:11px;fill:var(--soft)}
.grid{stroke:var(--grid)}.line{fill:none;stroke-width:1.8}
.l0{stroke:var(--a)}.l1{stroke:var(--b)}.l2{stroke:var(--c)}
.key{margin-left:.8rem}.k0{color:var(--a)}.k1{color:var(--b)}.k2{color:var(--c)}
small{color:var(--soft);display:block}.bad{color:var(--bad)}pre{white-space:pre-wrap;margin:.2rem 0}
@media (max-width:30rem){svg text{font-size:16px}body{padding:.6rem}table{font-size:13px}
td,th{padding-right:.25rem}}
"""


def page(found: dict[str, Any]) -> str:
    """The whole file."""
    url = escape(found["url"])
    parts = (
        f"<h1>{url}</h1>",
        f"<small>{escape(found['environment']['started'])}, gossamer load</small>",
        warnings(found),
        table(totals(found)),
        "<h2>Times</h2>",
        times(found),
        curve(found),
        *over_time(found),
        "<h2>Environment</h2>",
        table({name: str(value) for name, value in found["environment"].items()}),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Load on {url}</title><style>{STYLE}</style></head>\n<body>{''.join(parts)}</body></html>\n"
    )


def warnings(found: dict[str, Any]) -> str:
    """What makes figures doubtful, and what was missed."""
    lines = [each["line"] for each in found["warnings"]]
    lines += [threshold_line(each) for each in found["thresholds"] if not each["met"]]
    lines += ["interrupted before its end"] if found["interrupted"] else []
    return "".join(f'<p class="bad">{escape(line)}</p>' for line in lines)


def totals(found: dict[str, Any]) -> dict[str, str]:
    """Requests by outcome, rate, bytes."""
    seconds = found["asked_us"] / 1e6
    shown = {
        "requests": f"{found['requests_total']:,} of {found['due_total']:,} in {seconds:.2f} s",
        "rate": f"{found['requests_per_second']:,.1f} requests/s",
        "unanswered": listed(unanswered_shown(found)),
        "received": f"{human_bytes(found['received_bytes'])}",
        "connections": f"{found['connections']:,}; {connections_shown(found)}",
        "faults": "\n".join(" ".join(row).strip() for row in faults_rows(found["faults"])),
        "responses": listed(found["statuses"]),
        "errors": listed(errors_shown(found)) or "none",
        "examples": "\n".join(error_line(error).strip() for error in found["errors"]),
        "met": "\n".join(threshold_line(each)[9:] for each in found["thresholds"] if each["met"]),
    }
    return {name: text for name, text in shown.items() if text}


def table(shown: dict[str, str]) -> str:
    """Names and values."""
    rows = (
        f"<tr><th>{escape(name)}</th><td><pre>{escape(text)}</pre></td></tr>" for name, text in shown.items()
    )
    return f"<table>{''.join(rows)}</table>"


def times(found: dict[str, Any]) -> str:
    """Percentiles of each kind of time."""
    columns = ("response", "service", "connect")
    head = "".join(f'<th class="n">{name}</th>' for name in columns)
    rows = [f"<tr><th></th>{head}</tr>"]
    for name in found["response_us"]:
        if name != "at_least":
            cells = (escape(shown_us(found[f"{column}_us"], name)) for column in columns)
            cells_html = "".join(f'<td class="n">{cell}</td>' for cell in cells)
            rows.append(f"<tr><th>{name}</th>{cells_html}</tr>")
    return f"<table>{''.join(rows)}</table>"


def curve(found: dict[str, Any]) -> str:
    """Percentiles on an axis where each nine is as wide as the one before."""
    parts = [each[key] for each in found["timeline"] for key in ("counts", "floors")]
    lanes = lanes_of(*parts)
    total = sum(lanes)
    if not total:
        return ""
    across, points, passed = nines_axis(total), [(0.0, 0.0)], 0
    for bucket, count in enumerate(lanes):
        if count and passed < total:
            passed += count
            percent = min(100 * passed / total, 100 - 10 ** (2 - across.most))
            points.append((nine_of(percent), float(bucket_top_us(bucket))))
    up = even_axis(points[-1][1], human_us)
    return chart("Response time by percentile", [ChartLine("response", points)], across, up, "percentile")


def over_time(found: dict[str, Any]) -> list[str]:
    """Rate, times, lag and errors by the second."""
    intervals = found["timeline"]
    if not intervals:
        return []
    width_us = max(each["end_us"] - each["start_us"] for each in intervals)
    # What is much shorter, at the end, has no rate to be seen beside the others'.
    whole = [each for each in intervals if 2 * (each["end_us"] - each["start_us"]) >= width_us]
    across = even_axis(max(each["end_us"] for each in whole) / 1e6, lambda value: f"{value:g}")

    def line(name: str, key: str) -> ChartLine:
        return ChartLine(name, [(each["end_us"] / 1e6, float(each[key])) for each in whole])

    def over(title: str, *lines: ChartLine, shown: Any = human_us) -> str:
        most = max(y for each in lines for _, y in each.points)
        return chart(title, lines, across, even_axis(most, shown), "seconds")

    return [
        over(
            "Requests a second", line("answered", "requests_per_second"), shown=lambda value: f"{value:,.0f}"
        ),
        over("Response time", line("p50", "p50_us"), line("p90", "p90_us"), line("p99", "p99_us")),
        over("Lag of the generator", line("p99", "lag_p99_us")),
        over(
            "Errors and requests without an answer",
            line("errors", "errors"),
            line("unanswered", "unanswered"),
            shown=lambda value: f"{value:,.0f}",
        ),
    ]
