"""Metrics and protocols. Each metric is one pure function of arrays that needs numpy and scipy alone.

A key of a score says what it is and its unit: `cd_cm2`, `mpjpe_mm`. What cannot be measured is None, never 0.
"""
