# joblib with processes, threads, and inside scikit-learn.
# %%
from joblib import Parallel, delayed, effective_n_jobs

offset = 10


def work(number):
    return number + offset


print(Parallel(n_jobs=2, backend="loky")(delayed(work)(n) for n in range(6)), effective_n_jobs(2))
print(Parallel(n_jobs=2, backend="threading")(delayed(work)(n) for n in range(3)))
# %%
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

X, y = load_iris(return_X_y=True)
RandomForestClassifier(10, n_jobs=2, random_state=0).fit(X, y).predict_proba(X)[::40].tolist()


# %%
def fails(number):
    raise KeyError(number)


try:
    Parallel(n_jobs=2)(delayed(fails)(n) for n in [7])
except KeyError as error:
    print(repr(error))
