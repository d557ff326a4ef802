"""Pages of HTML about runs: one file, which opens from the disk and asks nobody for anything."""
