# The backend is changed after it was used.
# %%
%matplotlib inline
from matplotlib import pyplot as plt

plt.bar(["a", "b"], [1, 2])
# %%
plt.switch_backend("agg")
plt.plot([1, 2])
plt.get_backend()
# %%
%matplotlib inline
%config InlineBackend.close_figures = False
plt.get_backend(), plt.figure(figsize=(1, 1))
# %%
plt.get_fignums()
