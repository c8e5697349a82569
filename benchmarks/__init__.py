"""Scripts that measure, and RESULTS.md with what they printed."""
