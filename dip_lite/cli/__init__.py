"""The command line: `python -m dip_lite --help`."""
