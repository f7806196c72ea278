"""Write the digits data as two files, for training and for testing: what DVC tracks."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

images, labels = load_digits(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(images / 16, labels, test_size=0.3, random_state=7, stratify=labels)
Path("data").mkdir(exist_ok=True)
np.savez_compressed("data/train.npz", x=train_x, y=train_y)
np.savez_compressed("data/test.npz", x=test_x, y=test_y)
print(f"{len(train_y)} digits to train on, {len(test_y)} to test on")
