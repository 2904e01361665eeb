# Modules of the notebook's own folder, a package among them, and data beside it.
# %% file helper.py
import sys

print("helper is imported as", __name__)
FILE = __file__.rpartition("/")[2]


def where():
    return sys._getframe(1).f_globals["__name__"]
# %% file package/__init__.py
from .inner import VALUE
# %% file package/inner.py
VALUE = 42
# %% file package/words.txt
beside the package
# %%
import helper
from package import VALUE
from package.inner import VALUE as again

helper.FILE, VALUE, again, helper.where()
# %%
import importlib.resources

importlib.resources.files("package").joinpath("words.txt").read_text()
