"""From the words of a command line to a typed configuration, and from errors to one line."""
