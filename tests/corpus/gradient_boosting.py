# OpenMP after the imports: it neither hangs nor changes its result.
# %%
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 5))
y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
model = HistGradientBoostingClassifier(max_iter=8, random_state=0).fit(X, y)
model.score(X, y), model.predict_proba(X[:2]).tolist()
# %%
import threadpoolctl
from sklearn.cluster import KMeans

with threadpoolctl.threadpool_limits(2):
    again = HistGradientBoostingClassifier(max_iter=8, random_state=0).fit(X, y)
    centres = KMeans(3, n_init=1, random_state=0).fit(X).cluster_centers_
np.array_equal(again.predict_proba(X), model.predict_proba(X)), centres.round(6).tolist()
# %%
model
