"""A little internet on loopback: honest and lying time servers, for the demo and the tests.

Every server has one hook, a Behaviour: the honest reply goes in, what is really sent comes out.
"""
