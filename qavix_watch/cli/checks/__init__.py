"""What `qavix-watch check` looks at: one file for each group, each a function from a Case to its findings."""
