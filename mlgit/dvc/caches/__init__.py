"""What DVC's caches hold by content hash, and how bytes come into one."""
