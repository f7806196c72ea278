"""Speed bars: what mlgit promises, measured on this machine, peers in the same run. `make bench`."""
