"""Starts the demo: `python app.py --help`. A hosted Space looks for this file."""

from dip_lite.app.__main__ import main

if __name__ == "__main__":
    main()
