# What a notebook is to itself: the main module, which has no file.
# %%
if __name__ == "__main__":
    print("is the main module")
# %%
import sys

main = sys.modules["__main__"]
print(main.__name__, main.__dict__ is globals(), main.__spec__, hasattr(main, "__file__"), main.__doc__)
print(type(main).__name__, __builtins__, __package__, __loader__)
# %%
sorted(name for name in globals() if not name.startswith("_i"))
# %%
import builtins

sorted(
    name for name in vars(builtins) if name in ("get_ipython", "display", "exit", "quit", "_", "__IPYTHON__", "help")
)
# %%
print(type(exit).__name__, type(quit).__name__, exit is quit)
# %%
__file__
