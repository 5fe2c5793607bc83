"""Policies over a socket: a server that holds the weights, and a client that is a policy."""
