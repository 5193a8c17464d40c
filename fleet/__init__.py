"""Many nodes: what each shows of its clock, read from outside and summed up."""
