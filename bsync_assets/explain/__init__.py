"""`bsync explain`: what the rules make of a name, a line, a rule, and which rule says so.

`machine` answers in bulk and in JSON, `people` in words. Both ask the functions of the daily run; no rule stands here.
"""
