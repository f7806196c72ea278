"""What is written for TensorBoard, taken into a run."""
