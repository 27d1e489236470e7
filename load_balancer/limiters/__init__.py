"""Limits that are no fuse's: what a contract, a tariff or the grid operator allows, each with its
own meaning. All hold at once; the balancer takes the lowest and names it.
"""
