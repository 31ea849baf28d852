"""Mixture of experts."""


def mixture(*args):
    raise NotImplementedError
