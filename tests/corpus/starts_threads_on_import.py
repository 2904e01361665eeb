# A module that starts a thread when it is imported; the thread must be there.
# kernel: other
# fresh: threads run before the fork: corpus
# %%
import corpus_starts_thread

corpus_starts_thread.ask(3)
# %%
corpus_starts_thread.ask(4)
