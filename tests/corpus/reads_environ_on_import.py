# The environment is set before an import that reads it.
# kernel: other
# %%
import os

os.environ["CORPUS_CHOICE"] = "chosen by the notebook"
import corpus_reads_environ

corpus_reads_environ.CHOICE
# %%
%env CORPUS_CHOICE=chosen again
import importlib

importlib.reload(corpus_reads_environ).CHOICE
