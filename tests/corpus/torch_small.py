# A small network, where torch is installed.
# needs: torch
# %%
import torch

torch.manual_seed(0)
layer = torch.nn.Linear(3, 1)
step = torch.optim.SGD(layer.parameters(), 0.1)
for _ in range(5):
    step.zero_grad()
    loss = (layer(torch.ones(4, 3)) ** 2).mean()
    loss.backward()
    step.step()
loss.item(), torch.rand(2), torch.get_num_threads()
