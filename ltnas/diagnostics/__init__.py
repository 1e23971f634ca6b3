"""What tells a search that works from one that collapses: pure functions of what was measured."""
