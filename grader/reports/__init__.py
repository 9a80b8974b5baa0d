"""`Report` → what people and platforms read. Every module turns reports into text or data; only `files` writes.

words        the vocabulary that all outputs share: statuses, points, what is said about one line
gradescope   results.json
full         report.json, everything, and back
html         report.html for the student and for the staff
tables       summary.csv, items.csv, attention.csv
terminal     a class, or one self-check, for a terminal or a log
difference   what changed between two runs
files        the result folder
processes    many reports, shared among the processors
"""
