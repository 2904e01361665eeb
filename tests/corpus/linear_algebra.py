# OpenBLAS and numpy's own state after the imports.
# %%
import numpy as np
import scipy.linalg

A = np.random.default_rng(1).normal(size=(200, 200))
np.linalg.svd(A)[1][:3].tolist(), scipy.linalg.expm(A / 100)[0, :2].tolist(), float((A @ A).trace())
# %%
np.array([1.0]) / 0, np.geterr(), np.get_printoptions()["precision"]
# %%
np.set_printoptions(precision=2, suppress=True)
A[0, :5]
# %%
np.seterr(all="raise")
np.float64(1) / 0
