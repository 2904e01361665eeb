# Magics of all sorts.
# %% file script.py
import sys
print("script", __name__, sys.argv[1:], __file__)
VALUE = 5
# %%
%run script.py one two
VALUE
# %%
%%writefile written.txt
text
# %%
%pycat script.py
%psource print
# %%
%%html
<b>html</b>
# %%
%%javascript
console.log(1)
# %%
%%latex
$x$
# %%
%%python
print("another Python")
# %%
%lsmagic
# %%
%load_ext no_such_extension
# %%
%env HOME_OF_NOBODY
# %%
%config Application
# %%
%prun -q -s nfl sum(range(10))
