# The number of threads is the one that the run was given.
# %%
import numpy as np
import sklearn.cluster
import threadpoolctl

sorted((pool["internal_api"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info())
# %%
with threadpoolctl.threadpool_limits(2):
    print((np.ones((300, 300)) @ np.ones((300, 300))).sum())
