# Long tracebacks, through the notebook and through libraries.
# %% [raises-exception]
import sys

sys.setrecursionlimit(250)


def forever(n):
    return forever(n + 1)


forever(0)
# %% [raises-exception]
import json

json.loads('{"a": [1, 2')
# %% [raises-exception]
def outer(depth):
    local = "x" * depth
    return inner(depth, local)


def inner(depth, local):
    return outer(depth - 1) if depth else 1 / 0


outer(12)
# %% [raises-exception]
exec(compile("def f():\n    raise KeyError('no source')\nf()", "<made up>", "exec"))
# %% [raises-exception]
%xmode Verbose
outer(1)
# %% [raises-exception]
%xmode Minimal
outer(1)
# %% [raises-exception]
%xmode Plain
outer(1)
