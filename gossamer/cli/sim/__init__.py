"""`gossamer sim`: its options, and its report as text, JSON and pictures."""
