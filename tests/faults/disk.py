"""Disks: full, without inodes, read-only, failing, without power; and the state lost, old, cut or too new."""
