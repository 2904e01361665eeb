# Commands of the shell.
# %% file data.txt
three
small
words
# %%
!ls
!wc -w < data.txt
# %%
%%bash
echo out; pwd | sed 's,.*/,,'
# what is written to both at once is read in any order
sleep 0.3; echo err >&2
# %%
%%sh
echo "$0" | sed 's,.*/,,'
# %%
lines = !cat data.txt
print(lines, lines.n, _exit_code)
name = "data.txt"
!head -n 1 {name}; echo $name
# %% [raises-exception]
%%bash
echo before
exit 3
# %%
%%script python3
import sys
print(sys.version_info[0], __name__)
# %%
%%bash --out captured
echo kept
# %%
captured
# %%
!exit 4
_exit_code
