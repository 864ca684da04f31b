"""Measurements of the whole pipeline: a generator of deliveries, the scripts to compare with, the reports.

Nothing of the product imports from here; nothing here imports from the product, which is run as its users run
it: by command.
"""
