"""Looks for a shell when it is imported, and shows something in it."""

import sys

from IPython import get_ipython
from IPython.display import HTML, display

SHELL = type(get_ipython()).__name__
MAIN = sys.modules["__main__"].__name__
display(HTML("<script>corpus_displays is imported</script>"))
