"""Times the bench's cases with PyTorch and sets them beside ours: its matrix products are cuBLAS's, its convolutions cuDNN's (on AMD
hipBLAS's and MIOpen's).

f32 with TF32 off, f16, int8 by torch._int_mm. Convolutions are let choose their algorithm by measuring (cudnn.benchmark), once with
NCHW and once with NHWC in memory, of which the faster counts; bias and activation are in the time, as they are in ours. Operands lie on the GPU; times are of CUDA events around enough runs to fill about
100 ms, after at least 300 ms of warm-up; the median of seven samples counts.
"""

import argparse
import json
import statistics
import sys

import torch
from torch.nn import functional

WARM_MS = 300.0
SAMPLE_MS = 100.0
SAMPLES = 7


def timed(run, repeats):
    """Milliseconds of one of `repeats` runs, on the device's clock."""
    begin = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(repeats):
        run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / repeats


def settled(run):
    """Warms up; how many runs fill a sample."""
    run()
    torch.cuda.synchronize()
    warmed, repeats = 0.0, 1
    while warmed < WARM_MS:
        each = timed(run, repeats)
        warmed += each * repeats
        repeats = max(1, min(4096, round(SAMPLE_MS / max(each, 1e-3))))
    return repeats


def measure(run):
    """Milliseconds of one run: the median of the samples."""
    repeats = settled(run)
    return statistics.median(timed(run, repeats) for _ in range(SAMPLES))


def convolution(case):
    """Functions that run the case, one for each layout in memory."""
    kind = torch.float32 if case["dtype"] == "f32" else torch.float16
    groups, channels, filters = case["groups"], case["channels"], case["filters"]
    pairs = (channels, filters // groups) if case["transposed"] else (filters, channels // groups)

    def random(*shape):
        return torch.rand(shape, device="cuda", dtype=kind) * 2 - 1

    x, w, bias = random(case["batch"], channels, *case["size"]), random(*pairs, *case["kernel"]), random(filters)
    window = {key: case[key] for key in ("stride", "padding", "dilation", "groups")}

    def runner(layout):
        here, filter = x.to(memory_format=layout), w.to(memory_format=layout)

        def run():
            if case["transposed"]:
                y = functional.conv_transpose2d(here, filter, bias, output_padding=case["outputPadding"], **window)
            else:
                y = functional.conv2d(here, filter, bias, **window)
            if case["activation"] == "relu":
                return y.relu_()
            return y.clamp_(0, 6) if case["activation"] == "relu6" else y

        return run

    return [runner(layout) for layout in (torch.contiguous_format, torch.channels_last)]


def flops_of(case):
    """Multiplications and additions, those of padding too."""
    if "m" in case:
        return 2 * case["batch"] * case["m"] * case["n"] * case["k"]
    size = case["size"]
    if not case["transposed"]:
        spans = [case["dilation"] * (taps - 1) + 1 for taps in case["kernel"]]
        size = [(side + 2 * case["padding"] - span) // case["stride"] + 1 for side, span in zip(size, spans)]
    taps = case["kernel"][0] * case["kernel"][1] * case["channels"] * case["filters"] // case["groups"]
    return 2 * case["batch"] * size[0] * size[1] * taps


def runs_of(case):
    """Functions that run the case, of which the fastest counts, or why there is none."""
    if "m" not in case:
        return convolution(case), None
    run, reason = product(case)
    return ([] if run is None else [run]), reason


def product(case):
    """A function that runs the case, or None and why it cannot."""
    m, n, k, batch, dtype = (case[key] for key in ("m", "n", "k", "batch", "dtype"))
    lead = () if batch == 1 else (batch,)
    if dtype == "int4":
        return None, "PyTorch has no product with 4-bit weights of its own"
    if dtype == "int8":
        if m <= 16 or n % 8 or k % 8:
            return None, "torch._int_mm takes more than 16 rows, and multiples of 8"
        a = torch.randint(-128, 128, (m, k), dtype=torch.int8, device="cuda")
        # cuBLAS wants B with its columns in memory one after another.
        b = torch.randint(-128, 128, (n, k), dtype=torch.int8, device="cuda").t()
        return (lambda: torch._int_mm(a, b)), None
    kind = torch.float32 if dtype == "f32" else torch.float16
    a = torch.rand((*lead, m, k), device="cuda", dtype=kind) * 2 - 1
    shape = (*lead, n, k) if case["transposed"] else (*lead, k, n)
    b = torch.rand(shape, device="cuda", dtype=kind) * 2 - 1
    if case["transposed"]:
        b = b.transpose(-1, -2)
    c = torch.empty((*lead, m, n), device="cuda", dtype=kind)
    return (lambda: torch.matmul(a, b, out=c)), None


def ours_of(path):
    """By case: what ours took in one run, kernel time where it was measured."""
    if path is None:
        return {}
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    found = {}
    for case in report["cases"]:
        row = case["peers"].get("tilewright")
        if row is not None and row["status"] == "ok":
            found[case["name"]] = row.get("kernel_ms", row["resident_ms"])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", required=True, help="the table of cases: tilewright bench gemm --list --json FILE, or bench conv")
    parser.add_argument("--ours", help="what tilewright bench --json wrote; its cases alone are timed")
    parser.add_argument("--json", help="where the figures go")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no GPU here: nothing was timed.")
    # Full f32, as WebGPU computes it.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(1)

    with open(options.cases, encoding="utf-8") as file:
        cases = json.load(file)
    ours = ours_of(options.ours)
    if options.ours is not None:
        cases = [case for case in cases if case["name"] in ours]
    library = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"HIP {torch.version.hip}"
    print(f"PyTorch {torch.__version__}, {library}, {torch.cuda.get_device_name(0)}; TF32 off; kernel times")
    print(f"{'Case':<34}{'ours GFLOP/s':>14}{'torch GFLOP/s':>15}{'ours is':>9}")
    rows = []
    for case in cases:
        row = {"name": case["name"]}
        flops = flops_of(case)
        try:
            runs, reason = runs_of(case)
            if runs:
                row["ms"] = min(measure(run) for run in runs)
            else:
                row["left_out"] = reason
        except RuntimeError as error:
            row["left_out"] = str(error).split("\n", maxsplit=1)[0]
        mine = ours.get(case["name"])
        if mine is not None:
            row["ours_ms"] = mine
        rows.append(row)
        own = f"{flops / mine / 1e6:.1f}" if mine is not None else "–"
        if "ms" in row:
            share = f"{100 * row['ms'] / mine:.0f} %" if mine is not None else "–"
            print(f"{case['name']:<34}{own:>14}{flops / row['ms'] / 1e6:>15.1f}{share:>9}", flush=True)
        else:
            print(f"{case['name']:<34}{own:>14}  {row['left_out']}", flush=True)
        torch.cuda.empty_cache()
    if options.json is not None:
        with open(options.json, "w", encoding="utf-8") as file:
            device = torch.cuda.get_device_name(0)
            json.dump({"torch": torch.__version__, "library": library, "device": device, "cases": rows}, file, indent=2)
    if not any("ms" in row for row in rows):
        sys.exit("No case was timed.")


if __name__ == "__main__":
    main()
