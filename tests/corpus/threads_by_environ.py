# The number of threads is set before the library that reads it at import.
# %%
from os import environ

environ["OPENBLAS_NUM_THREADS"] = "2"
environ["OMP_NUM_THREADS"] = "2"
# %%
import numpy
import threadpoolctl

sorted((pool["internal_api"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info())
# %%
(numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum()
