"""The processes of one run, and what they must agree on."""
