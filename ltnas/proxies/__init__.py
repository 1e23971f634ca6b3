"""Zero-shot proxies: scores of networks that are not trained.

Each is a function of a network with initial weights, a batch and a seed. It computes on a copy of
the network, and leaves the state of the global random generators alone; a higher score is better.
"""
