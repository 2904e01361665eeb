# Real widgets, where they are installed.
# needs: ipywidgets
# %%
import ipywidgets as widgets

slider = widgets.IntSlider(value=3)
slider
# %%
slider.value = 7
out = widgets.Output()
with out:
    print("in the widget")
out
