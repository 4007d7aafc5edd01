"""`python -m qavix_watch`."""

from qavix_watch.cli import main

main()
