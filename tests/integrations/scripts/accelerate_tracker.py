"""Accelerate's tracker, log_with="wandb"."""

import numpy as np
import torch
from accelerate import Accelerator

accelerator = Accelerator(log_with="wandb", cpu=True)
accelerator.init_trackers("accelerate", config={"lr": 0.1}, init_kwargs={"wandb": {"tags": ["tiny"], "name": "one"}})
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model, optimizer = accelerator.prepare(model, optimizer)
for step in range(3):
    loss = model(torch.ones(4, 2)).pow(2).mean()
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    accelerator.log({"loss": loss.item()}, step=step)
tracker = accelerator.get_tracker("wandb")
tracker.log_images({"pictures": [np.zeros((4, 4), dtype=np.uint8)]}, step=3)
tracker.log_table("table", columns=["a"], data=[[1]], step=4)
accelerator.end_training()
