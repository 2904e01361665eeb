# Objects that write when they are deleted, at once and at the kernel's end.
# %%
class Writes:
    def __init__(self, name):
        self.name = name
        self.open = open

    def __del__(self):
        with self.open(self.name, "w") as file:
            file.write("deleted\n")


gone = Writes("gone.txt")
del gone
stays = Writes("stays.txt")
import os

os.path.exists("gone.txt"), os.path.exists("stays.txt")
# %%
import gc

cycle = Writes("cycle.txt")
cycle.itself = cycle
del cycle
gc.collect() > 0, os.path.exists("cycle.txt")
# %%
import tempfile

folder = tempfile.TemporaryDirectory(dir=".", prefix="removed-at-the-end-")
os.path.isdir(folder.name)
