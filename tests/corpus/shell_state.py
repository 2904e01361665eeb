# What the notebook's shell says of itself.
# %%
ip = get_ipython()
print(ip.execution_count, In, Out, type(ip).__name__, type(ip.kernel).__name__, ip.kernel.shell is ip)
print(ip.user_ns is globals(), ip.colors, ip.xmode, ip.history_length, ip.autocall, ip.automagic, ip.banner1[:6])
# %%
"a result"
# %%
print(ip.execution_count, In[1:], Out, _3 if "_3" in globals() else _2, _i, _ii[:10])
# %%
%history -n
# %%
a, b = 1, "two"
%who
# %%
%whos
# %%
%who_ls int
# %%
sorted(ip.extension_manager.loaded), sorted(ip.magics_manager.magics["cell"])
# %%
print(ip.kernel.implementation, ip.kernel.language_info["name"], ip.config.get("HistoryManager") is None, ip.kernel.banner.splitlines()[0][:6])
print(ip.kernel.get_parent()["msg_type"], ip.kernel.ident != "", ip.user_module.__name__, ip.display_trap.hook.__class__.__name__)
# %%
%reset -f
# %%
sorted(name for name in globals() if len(name) == 1), In[-1]
