# Comms as widgets use them; their state goes into the notebook.
# %%
import comm

layout = comm.create_comm(
    target_name="jupyter.widget",
    comm_id="a" * 32,
    data={"state": {"_model_name": "LayoutModel", "_model_module": "@jupyter-widgets/base", "_model_module_version": "2.0.0", "width": None}, "buffer_paths": []},
    metadata={"version": "2.1.0"},
)
slider = comm.create_comm(
    target_name="jupyter.widget",
    comm_id="b" * 32,
    data={
        "state": {
            "_model_name": "IntSliderModel",
            "_model_module": "@jupyter-widgets/controls",
            "_model_module_version": "2.0.0",
            "value": 3,
            "layout": "IPY_MODEL_" + "a" * 32,
        },
        "buffer_paths": [],
    },
    metadata={"version": "2.1.0"},
)
display(
    {
        "application/vnd.jupyter.widget-view+json": {
            "model_id": slider.comm_id,
            "version_major": 2,
            "version_minor": 0,
        },
        "text/plain": "IntSlider(value=3)",
    },
    raw=True,
)
# %%
slider.send(
    {"method": "update", "state": {"value": 7, "bytes": None}, "buffer_paths": [["bytes"]]}, buffers=[b"\x00\x01"]
)
other = comm.create_comm(target_name="somebody's own", comm_id="c" * 32, data={"hello": 1})
other.send({"anything": [1]})
other.close()
type(slider).__module__, type(slider).__name__, len(comm.get_comm_manager().comms)


# %%
def opened(channel, message):
    print("opened", channel.comm_id)


comm.get_comm_manager().register_target("mine", opened)
sorted(comm.get_comm_manager().targets)
