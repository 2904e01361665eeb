# matplotlib reads its settings from the notebook's folder.
# %% file matplotlibrc
lines.linewidth: 7
figure.figsize: 2, 1
# %%
import matplotlib
import matplotlib.pyplot as plt

print(matplotlib.matplotlib_fname().rpartition("/")[2], plt.rcParams["lines.linewidth"])
plt.plot([0, 1]);
