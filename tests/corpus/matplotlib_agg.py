# A backend chosen before anything is drawn.
# %%
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

plt.plot([1, 2, 3])
plt.savefig("figure.png", metadata={"Software": "none"})
mpl.get_backend(), plt.isinteractive()
