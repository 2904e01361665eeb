# Nobody is there to answer.
# %% [raises-exception]
input("name? ")
# %% [raises-exception]
import getpass

getpass.getpass()
# %% [raises-exception]
import code

code.interact()
# %%
print("goes on")
