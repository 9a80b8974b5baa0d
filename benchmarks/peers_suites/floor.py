"""`floor.py SUBMISSION COUNT`: all checks in one warm process, without isolation. Prints seconds per submission."""

import json
import sys
import time

import checks
import torch
import torch_layers


def judge(path):
    """Load the submission and run the twelve checks."""
    student = checks.load(path)
    for name in checks.CHECKS:
        checks.check(name, student, torch_layers)


def main(path, count):
    """Three uncounted submissions, then `count` counted ones."""
    torch.set_num_threads(1)
    for _ in range(3):
        judge(path)
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(count):
        judge(path)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(json.dumps({"wall": wall / count, "processor": processor / count}))


main(sys.argv[1], int(sys.argv[2]))
