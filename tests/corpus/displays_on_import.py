# Modules that find the notebook's shell when they are imported, as plotting and progress libraries do.
# kernel: other
# %%
import corpus_displays

# %%
corpus_displays.SHELL, corpus_displays.MAIN
