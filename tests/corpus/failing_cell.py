# An error ends the run; what the notebook left behind is still written.
# %%
import atexit

atexit.register(lambda: open("at_exit.txt", "w").write("written at the end\n"))
unflushed = open("unflushed.txt", "w")
unflushed.write("not flushed")


# %%
def deep(level):
    if not level:
        raise ValueError("at the bottom")
    deep(level - 1)


deep(3)
# %%
print("never")
