"""The stages of a day, one folder each with its SQL, and `graph`, which makes Dagster assets of them.

A stage is plain functions over a connection to the lake; only `graph` and `resources` import Dagster.
"""
