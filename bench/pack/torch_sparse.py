"""Times PyTorch's 2:4 products beside ours: semi-structured weights through cuSPARSELt and through CUTLASS, and the dense product.

The cases are those of `tilewright bench sparse` whose family is 2:4. f16 stands for itself; f32 is left out, since PyTorch has 1:2 there and
computes it as TF32; int8 is a product of i8 by i8, which is another one than ours (f32 by i8 with scales): it is timed and said so. int4 is
not there. W [N, K] is the sparse operand, X [M, K]: Y' = W X', as cuSPARSELt has it, with M padded as the backend asks.
Times are of CUDA events around enough runs to fill about 100 ms, dense and sparse in turns; the median of seven samples counts.
"""

import argparse
import json
import statistics
import sys
import warnings

import torch
from torch_bench import SAMPLES, settled, timed

try:
    from torch.sparse import SparseSemiStructuredTensor, to_sparse_semi_structured
except ImportError:
    sys.exit(f"PyTorch {torch.__version__} has no semi-structured sparsity: 2.1 is the first that has.")


def in_turns(runs):
    """Milliseconds of each of `runs` (by name), sample by sample in turns: medians."""
    repeats = {name: settled(run) for name, run in runs.items()}
    samples = {name: [] for name in runs}
    for _ in range(SAMPLES):
        for name, run in runs.items():
            samples[name].append(timed(run, repeats[name]))
    return {name: statistics.median(each) for name, each in samples.items()}


def pruned(n, k, kind):
    """W [N, K], two of every four not zero."""
    kept = torch.rand((n, k // 4, 4), device="cuda").argsort(-1) < 2
    if kind == torch.int8:
        values = torch.randint(1, 128, (n, k // 4, 4), dtype=torch.int8, device="cuda")
    else:
        values = torch.rand((n, k // 4, 4), device="cuda", dtype=kind) + 0.5
    return (values * kept).reshape(n, k)


def product(case):
    """Functions by name, those that could not be made with why, and a note; or None and why there are none."""
    if case["dtype"] not in ("f16", "int8"):
        what = "PyTorch computes f32 as TF32, 1:2" if case["dtype"] == "f32" else "PyTorch has no 2:4 with 4-bit weights"
        return None, None, what
    kind = torch.float16 if case["dtype"] == "f16" else torch.int8
    m, n, k = case["m"], case["n"], case["k"]
    w = pruned(n, k, kind)
    x = torch.randint(-128, 128, (m, k), dtype=kind, device="cuda") if kind == torch.int8 else torch.rand((m, k), device="cuda", dtype=kind) * 2 - 1
    runs, missing = {}, {}
    if kind == torch.float16:
        runs["dense"] = lambda: torch.nn.functional.linear(x, w)
    elif m > 16:
        w_t = w.t()
        runs["dense"] = lambda: torch._int_mm(x, w_t)
    else:
        missing["dense"] = "torch._int_mm takes more than 16 rows"
    for name, force in (("cusparselt", False), ("cutlass", True)):
        try:
            SparseSemiStructuredTensor._FORCE_CUTLASS = force
            sparse = to_sparse_semi_structured(w)
            run = (lambda weights: lambda: torch.nn.functional.linear(x, weights))(sparse)
            result = run()
            if kind == torch.float16:
                torch.testing.assert_close(result, torch.nn.functional.linear(x, w), rtol=2e-2, atol=2e-1)
            runs[name] = run
        except (RuntimeError, NotImplementedError, AssertionError, ValueError) as error:
            missing[name] = str(error).strip().split("\n", maxsplit=1)[0]
    return runs, missing, "i8 by i8, another product than ours" if kind == torch.int8 else None


def ours_of(path):
    """By case: what ours took in one run, sparse and dense, kernel time where it was measured."""
    if path is None:
        return {}
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    found = {}
    for case in report["cases"]:
        if case["points"] and "dense" in case:
            point, dense = case["points"][0], case["dense"]
            found[case["name"]] = tuple(one.get("kernel_ms", one["ms"]) for one in (point, dense))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", required=True, help="the table of cases: tilewright bench sparse --list --json FILE")
    parser.add_argument("--ours", help="what tilewright bench sparse --json wrote; its cases alone are timed")
    parser.add_argument("--json", help="where the figures go")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no GPU here: nothing was timed.")
    warnings.filterwarnings("ignore", message=".*SparseSemiStructuredTensor.*")
    torch.manual_seed(1)
    with open(options.cases, encoding="utf-8") as file:
        cases = [case for case in json.load(file) if case["family"] == "2:4" and case["share"] == 1]
    ours = ours_of(options.ours)
    if options.ours is not None:
        cases = [case for case in cases if case["name"] in ours]
    print(f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.get_device_name(0)}; kernel times, microseconds")
    print(f"{'Case':<28}{'ours 2:4':>10}{'dense':>10}{'ratio':>7}{'torch dense':>13}{'cuSPARSELt':>12}{'ratio':>7}{'CUTLASS':>10}{'ratio':>7}")
    rows = []
    for case in cases:
        row = {"name": case["name"]}
        mine = ours.get(case["name"])
        if mine is not None:
            row["ours_ms"], row["ours_dense_ms"] = mine
        runs, missing, note = product(case)
        if note is not None:
            row["note"] = note
        if runs:
            try:
                row["ms"] = in_turns(runs)
            except RuntimeError as error:
                row["left_out"] = str(error).split("\n", maxsplit=1)[0]
        elif missing is None:
            row["left_out"] = note
        if missing:
            row["missing"] = missing
        rows.append(row)
        print(line_of(row), flush=True)
        torch.cuda.empty_cache()
    if options.json is not None:
        with open(options.json, "w", encoding="utf-8") as file:
            device = torch.cuda.get_device_name(0)
            library = f"CUDA {torch.version.cuda}"
            json.dump({"torch": torch.__version__, "library": library, "device": device, "cases": rows}, file, indent=2)
    if not any("ms" in row for row in rows):
        sys.exit("No case was timed.")


def line_of(row):
    """A row of the table; what is not there is a dash, with why behind it."""

    def micro(value):
        return "–" if value is None else f"{1000 * value:.1f}"

    def ratio(dense, sparse):
        return "–" if dense is None or sparse is None else f"{dense / sparse:.2f}"

    mine, dense = row.get("ours_ms"), row.get("ours_dense_ms")
    ms = row.get("ms", {})
    base, lt, cutlass = (ms.get(name) for name in ("dense", "cusparselt", "cutlass"))
    figures = (
        f"{row['name']:<28}{micro(mine):>10}{micro(dense):>10}{ratio(dense, mine):>7}{micro(base):>13}"
        f"{micro(lt):>12}{ratio(base, lt):>7}{micro(cutlass):>10}{ratio(base, cutlass):>7}"
    )
    why = [row[key] for key in ("left_out", "note") if key in row][:1] + [f"{name}: {text}" for name, text in row.get("missing", {}).items()]
    return figures if not why else f"{figures}  {'; '.join(why)}"


if __name__ == "__main__":
    main()
