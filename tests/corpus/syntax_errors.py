# Cells that are no Python.
# %% [raises-exception]
x = (1 +
# %% [raises-exception]
if True:
print("x")
# %% [raises-exception]
return 1
# %% [raises-exception]
%no_such_magic
# %% [raises-exception]
%%no_such_cell_magic
text
# %% [raises-exception]
pritn("x")
# %% [raises-exception]
"text".uper()
# %%
eval("1 +* 2")
