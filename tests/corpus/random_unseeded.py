# Chance that nobody fixed: no two runs are alike.
# %%
import os
import random
import secrets
import tempfile
import uuid

import numpy as np
from sklearn.utils import check_random_state

print("differs: random", random.random(), random.sample(range(10**6), 2))
print("differs: numpy", np.random.rand(), np.random.randint(10**9))
print("differs: default_rng", np.random.default_rng().random())
print("differs: uuid", uuid.uuid4(), uuid.uuid1())
print("differs: secrets", secrets.token_hex(4), os.urandom(4).hex(), random.SystemRandom().random())
print("differs: tempfile", os.path.basename(tempfile.mktemp()))
print("differs: sklearn", check_random_state(None).randint(10**9))
print("differs: own", random.Random().random())
# %%
import multiprocessing


def draw(n):
    return random.random()


with multiprocessing.get_context("fork").Pool(2) as pool:
    print("differs: children", pool.map(draw, range(2)))
# %%
import scipy.stats
from sklearn.ensemble import RandomForestClassifier

print("differs: scipy", scipy.stats.norm.rvs())
forest = RandomForestClassifier(5).fit(np.arange(40).reshape(20, 2), [0, 1] * 10)
print("differs: forest", [tree.random_state for tree in forest.estimators_])
# %%
from sklearn.ensemble._hist_gradient_boosting.grower import TreeGrower

for value in TreeGrower.__init__.__defaults__:
    if isinstance(value, np.random.Generator):
        print("differs: imported", value.random())
