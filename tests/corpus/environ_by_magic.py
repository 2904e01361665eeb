# The environment is set by a magic before an import that reads it.
# kernel: other
# %%
%env CORPUS_CHOICE=chosen by a magic
# %%
import corpus_reads_environ

corpus_reads_environ.CHOICE
