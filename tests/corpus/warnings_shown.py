# Which warnings are shown, how often, and what they say.
# %%
import warnings

for _ in range(3):
    warnings.warn("once for this line")
warnings.warn("own kind", FutureWarning)
# %%
warnings.warn("old", DeprecationWarning)
warnings.warn("later", PendingDeprecationWarning)
# %%
for line in warnings.filters:
    print(line)
# %%
"a" is "a", "\d"


# %%
def old():
    warnings.warn("do not call me", DeprecationWarning, stacklevel=2)


old()
# %%
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warnings.warn("caught")
[str(warning.message) for warning in caught]
# %%
warnings.filterwarnings("ignore", message="quiet")
warnings.warn("quiet please")
open("x.txt", "w")
import gc

gc.collect();
# %%
warnings.simplefilter("error")
warnings.warn("now an error")
