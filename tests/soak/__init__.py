"""Long runs: what must hold for millions of frames and for minutes, not only for one.

`make soak` runs every module here at full length, `python -m tests.soak.fuzz_reader --scale 0.1` one of them, shorter.
A module has `SHORT`, the share of its full length that the tests run (`test_short.py`), and `soak`:

    async def soak(scale: float, progress: Progress) -> Verdict

and ends with `if __name__ == "__main__": main(soak)`. Nothing else has to be told of it.
"""
