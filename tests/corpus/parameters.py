# Parameters are put in after their cell.
# parameters: {"depth": 4, "name": "näme", "rates": [0.1, null, true], "options": {"a": {"b": 1}}}
# %% [parameters]
depth: int = 1  # how deep
name = "default"
rates = []
options = {}
# %%
depth, name, rates, options
# %%
get_ipython().execution_count
