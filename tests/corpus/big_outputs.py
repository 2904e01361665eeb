# Much text in many pieces, in one piece, and as one display.
# %%
for line in range(20_000):
    print("line", line)
# %%
print("x" * 1_000_000)
# %%
from IPython.display import HTML

HTML("<p>" + "y" * 1_000_000 + "</p>")
# %%
for number in range(300):
    display(number)
# %%
list(range(3000))
