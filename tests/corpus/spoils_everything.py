# Looks at much that a notebook can change, then changes it; the next run must not see it.
# %%
import builtins
import gc
import locale
import logging
import os
import signal
import sys
import textwrap
import warnings

import numpy as np
import pandas as pd


def look():
    print(
        os.getcwd().rpartition("/")[2] == "elsewhere",
        oct(os.umask(0o22)),
        sys.path[-1] == "spoiled",
        os.environ.get("SPOILED"),
    )
    print(signal.getsignal(signal.SIGTERM), sys.getrecursionlimit(), gc.get_threshold(), gc.isenabled())
    print(
        len(logging.getLogger().handlers),
        logging.getLogger().level,
        textwrap.dedent is spoiled,
        hasattr(builtins, "spoiled"),
    )
    print(
        warnings.filters[0],
        np.get_printoptions()["precision"],
        np.geterr()["divide"],
        pd.get_option("display.max_rows"),
    )
    print(
        locale.setlocale(locale.LC_ALL),
        sys.stdout.__class__.__name__,
        "spoiled" in sys.modules,
        getattr(np, "spoiled", None),
    )


def spoiled(*args, **kwargs):
    return "spoiled"


look()
# %%
import resource
import threading

resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
os.makedirs("elsewhere", exist_ok=True)
os.chdir("elsewhere")
os.umask(0o77)
sys.path.append("spoiled")
os.environ["SPOILED"] = "yes"
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.setrecursionlimit(5000)
gc.set_threshold(1, 1, 1)
gc.disable()
logging.basicConfig(level=1)
logging.disable(logging.CRITICAL)
builtins.spoiled = 1
warnings.simplefilter("always")
np.set_printoptions(precision=1)
np.seterr(divide="ignore")
np.spoiled = True
np.random.seed(0)
pd.set_option("display.max_rows", 3)
locale.setlocale(locale.LC_ALL, "C.UTF-8")
sys.modules["spoiled"] = sys
sys.setswitchinterval(0.5)
os.nice(1)
look()
# %%
for name in ("IPython.core.interactiveshell", "zmq", "socket"):
    sys.modules.pop(name)
textwrap.dedent = spoiled
textwrap.dedent("x")
# %%
os.closerange(100, 1000)
sys.stdin.close()
print("done")
