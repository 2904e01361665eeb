# What a cell shows of its last line, and how a notebook changes that.
# %%
1 + 1
# %%
2 + 2;
# %%
_, __, Out[1]
# %%
None
# %%
get_ipython().ast_node_interactivity = "all"
# %%
"first"
"second"
# %%
[{"key": list(range(60)), "text": "x" * 100}, {1, 2, 3}, (b"bytes", 1e-300, float("nan"), 1j)]
# %%
%precision 3
3.14159265
# %%
formatter = get_ipython().display_formatter.formatters["text/plain"]
formatter.for_type(int, lambda value, printer, cycle: printer.text(f"<int {value}>"))
12
