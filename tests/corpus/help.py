# Help on objects, by question mark and by function.
# %%
def documented(number: int = 1) -> int:
    """What it is for."""
    return number


documented?
# %%
documented??
# %%
?len
# %%
help(documented)
# %%
get_ipython().inspector.info(documented)["docstring"], get_ipython().object_inspect("documented")["found"]
# %%
*.documented?
# %%
nothing_of_that_name?
# %%
get_ipython().complete("documen")
# %%
get_ipython().kernel.do_is_complete("x = 1"), get_ipython().kernel.do_complete("documen", 7)["matches"]
