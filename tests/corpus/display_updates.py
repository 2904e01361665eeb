# Displays that are changed after they were shown, from the same cell and from a later one.
# %%
from IPython.display import HTML, display, update_display

handle = display("first", display_id="one")
handle.update("second")
display(HTML("<b>two</b>"), display_id="two")
# %%
handle.update(HTML("<i>third</i>"))
update_display("gone on", display_id="two")
display("the same id again", display_id="one")
# %%
for step in range(20):
    handle.update(f"step {step}")
