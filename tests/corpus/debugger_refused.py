# Nobody is there to debug.
# %% [raises-exception]
def stops():
    import pdb

    pdb.set_trace()
    return 1


stops()
# %% [raises-exception]
breakpoint()
# %% [raises-exception]
%debug
# %%
import sys

sys.breakpointhook is sys.__breakpointhook__, sys.gettrace()
