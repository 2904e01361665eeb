# Cells that are not executed, empty ones, and all the metadata that a notebook may have.
# %% markdown
# A title

With *text*.
# %% raw
raw text
# %%
# %% [remove-input, own-tag]

   
# %%
# only a comment
# %% markdown
# %%
x = 1; x
# %% markdown
The end.
