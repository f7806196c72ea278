"""Data parallel on two processes: rank 0 logs."""

import os

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import wandb


def worker(rank, size, port):
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "127.0.0.1", port
    dist.init_process_group("gloo", rank=rank, world_size=size)
    torch.manual_seed(0)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = wandb.init(project="ddp", config={"size": size}) if rank == 0 else None
    if run:
        wandb.watch(model, log_freq=2)
    for _ in range(4):
        loss = model(torch.full((3, 2), float(rank + 1))).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if run:
            run.log({"loss": loss.item()})
    if run:
        run.finish()
    dist.destroy_process_group()


if __name__ == "__main__":
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    mp.spawn(worker, args=(2, port), nprocs=2)
