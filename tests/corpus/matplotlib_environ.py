# A backend chosen by the environment, which the import reads.
# %%
import os

print(os.environ["MPLBACKEND"])
os.environ["MPLBACKEND"] = "svg"
# %%
import matplotlib.pyplot as plt

plt.get_backend(), plt.plot([1, 2])
