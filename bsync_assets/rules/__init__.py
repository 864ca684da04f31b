"""The two languages of the catalog: trait rules over signals and segment expressions over traits.

`trait_rules` and `segments` turn text into terms and an expression, or refuse it with a code; `evaluation`
finds in bulk which signals satisfy which comparisons; `membership` answers for single profiles; `ttl` says
how long a trait lasts.
No Dagster, no files but this package's own grammar and SQL.
"""
