"""What the machine is doing while a run is alive: processor, memory, disks, network, GPUs. W&B's names throughout."""
