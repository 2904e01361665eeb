# Figures in the notebook, without a word about the backend.
# %%
import matplotlib
import matplotlib.pyplot as plt
import numpy as np

print(matplotlib.get_backend(), matplotlib.is_interactive())
plt.plot([1, 3, 2]);
# %%
figure, axes = plt.subplots(1, 2, figsize=(4, 2))
axes[0].imshow(np.arange(9).reshape(3, 3))
axes[1].hist(np.sin(np.arange(100)), bins=7)
figure
# %%
%config InlineBackend.figure_formats = ["png", "jpeg"]
plt.scatter([1, 2], [2, 1])
plt.show()
plt.get_fignums()
