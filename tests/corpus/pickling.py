# Objects of classes that the notebook defines, pickled and copied.
# %%
import copy
import enum
import pickle
from collections import namedtuple
from dataclasses import dataclass, field


@dataclass(order=True)
class Point:
    x: int
    tags: list[str] = field(default_factory=list)


class Colour(enum.Enum):
    RED = 1


Pair = namedtuple("Pair", "a b")
data = pickle.dumps([Point(1, ["a"]), Colour.RED, Pair(1, 2)])
pickle.loads(data), data
# %%
import cloudpickle

cloudpickle.loads(cloudpickle.dumps(lambda x: Point(x)))(3), copy.deepcopy(Point(5)) == Point(5)
# %%
from pathlib import Path

Path("points.pickle").write_bytes(pickle.dumps(Point(2)))
Point, Point.__module__, Point.__qualname__
# %% [raises-exception]
pickle.dumps(lambda: 1)
# %%
import joblib

joblib.hash(Point(1)), joblib.dump(Point(1), "point.joblib")
# %%
memory = joblib.Memory("cache", verbose=0)


@memory.cache
def doubled(x):
    print("computed")
    return 2 * x


doubled(2), doubled(2)
