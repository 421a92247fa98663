"""The result of a run as files, by their ending.

written.py      which ending is which format, and how a file is written
rows.py         .csv: a row an interval
hdrlog.py       .hlog: a log of HdrHistogram, an entry an interval
openmetrics.py  .om: OpenMetrics text
page.py         .html: one page, with nothing from elsewhere; charts.py draws what stands in it
"""
