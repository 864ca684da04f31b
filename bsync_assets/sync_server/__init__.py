"""The HTTP ID-sync service, `bsync serve`: the calls of visitors' browsers, answered and kept for the daily run.

`decide` rules what a call leads to, over what `known` says of links and opt-outs; `capture` makes it durable before it is
answered; `app` speaks HTTP. Nothing here writes the lake: the run takes the captured calls in.
"""
