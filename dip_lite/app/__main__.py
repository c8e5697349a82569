"""Starts the demo from an installed package: `python -m dip_lite.app --help`."""

from .launch import main

if __name__ == "__main__":
    main()
