"""What people look at: sheets of pictures, curves, animations, and a scrubber."""
