# Outputs that are thrown away, at once and when the next one comes.
# %%
from IPython.display import clear_output, display

for step in range(5):
    clear_output(wait=True)
    print("step", step, flush=True)
# %%
print("never seen", flush=True)
clear_output(wait=False)
print("seen")
# %%
print("stays, since nothing follows", flush=True)
clear_output(wait=True)
# %%
display("shown")
clear_output()
