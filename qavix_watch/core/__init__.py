"""Pure rules: orders, identity, names, ignoring. No clock, no disk, no network, no log."""
