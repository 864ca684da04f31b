"""The wire formats: file names, ID forms, line grammar, receipts' arithmetic. No I/O, no Dagster.

What is ruled per file is Python (`names`); what is ruled per line is SQL (`data_lines`, `sync_rows`), because a day has a
handful of files and many millions of lines. `explain` and the daily run go through the same statements.
"""
