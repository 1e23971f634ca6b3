"""Many runs at once: each a process of its own, on a device of its own or a share of one."""
