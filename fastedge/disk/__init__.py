"""The disk tier: stored responses as files that all workers of a host share, and that survive them."""
