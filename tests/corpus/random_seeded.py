# Chance that the notebook fixed: all runs are alike.
# %%
import random

import numpy as np

random.seed(7)
np.random.seed(7)
print(random.random(), np.random.rand(3), np.random.default_rng(7).random(2), random.Random(1).random())
# %%
import uuid

uuid.uuid5(uuid.NAMESPACE_DNS, "x"), uuid.UUID(int=random.getrandbits(128))
# %%
from sklearn.model_selection import train_test_split

train_test_split(range(20), random_state=0)[1], np.random.permutation(5)
