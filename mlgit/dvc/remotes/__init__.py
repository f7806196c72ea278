"""DVC's remotes: which there are, what they have, and bytes on their way there and back."""
