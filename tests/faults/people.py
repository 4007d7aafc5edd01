"""People: what they do to files and folders while the service has them in hand."""
