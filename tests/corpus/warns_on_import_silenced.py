# A notebook that silences the warnings of what it imports next.
# kernel: other
# %%
import warnings

warnings.filterwarnings("ignore", message="corpus")
import corpus_warns

corpus_warns.LOADED
