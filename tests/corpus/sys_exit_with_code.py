# A notebook that ends itself with an exit status.
# %%
import sys

print("before")
sys.exit(3)
# %%
print("never")
