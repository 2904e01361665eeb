# Hooks, transformations, macros and aliases of the shell.
# %%
ip = get_ipython()
ip.events.register("post_run_cell", lambda result: print("after", result.execution_count))
# %%
1
# %%
ip.input_transformers_post.append(lambda lines: [line.replace("TEN", "10") for line in lines])
# %%
TEN + 1
# %%
ip.set_custom_exc((ZeroDivisionError,), lambda shell, kind, value, tb, tb_offset=None: print("handled", kind.__name__))
# %%
1 / 0
# %%
%alias greet echo hello
greet there
# %%
from IPython.core.magic import register_cell_magic, register_line_magic


@register_line_magic
def shout(line):
    return line.upper()


@register_cell_magic
def reversed_lines(line, cell):
    print("".join(reversed(cell.splitlines(True))))


# %%
%shout something
# %%
%%reversed_lines
one
two
# %%
%macro -q repeated 1
type(repeated).__name__
