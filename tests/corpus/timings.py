# Durations are the run's own; all else about them is not.
# %%
%%time
total = sum(range(1000))
total
# %%
%time total + 1
# %%
%timeit -n 2 -r 2 sum(range(10))
# %%
result = %timeit -n 1 -r 1 -o -q pass
type(result).__name__, result.loops
# %%
import time

time.get_clock_info("monotonic").resolution, time.tzname
