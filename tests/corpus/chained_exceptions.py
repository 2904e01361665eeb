# Exceptions with causes, contexts, notes and groups.
# %% [raises-exception]
try:
    {}["missing"]
except KeyError as error:
    raise RuntimeError("because of it") from error
# %% [raises-exception]
try:
    1 / 0
except ZeroDivisionError:
    int("x")
# %% [raises-exception]
try:
    1 / 0
except ZeroDivisionError:
    raise ValueError("alone") from None
# %% [raises-exception]
raise ExceptionGroup("several", [ValueError(1), ExceptionGroup("inner", [TypeError("x")])])
# %% [raises-exception]
error = ValueError("with a note")
error.add_note("the note")
raise error


# %% [raises-exception]
class Own(Exception):
    def __str__(self):
        raise TypeError("even its text fails")


raise Own
# %% [raises-exception]
assert 1 == 2, "they differ"
