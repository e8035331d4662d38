#!/bin/sh
# Times matrix products, convolutions, networks or sparse kernels on this machine's GPU: nothing is installed and no network is needed.
#
#   ./run.sh                 matrix products, every case; with the peers, where they were packed
#   ./run.sh conv            convolutions; ./run.sh model: networks end to end; ./run.sh sparse: 2:4
#   ./run.sh conv --quick    a few small cases, seconds; any other option of `tilewright bench` goes here too
#
# It leaves results/*.json and results/*.txt, named after the adapter and the time. README.txt says more.
set -u
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1

bench=gemm
case "${1:-}" in
  gemm | conv | model | sparse)
    bench=$1
    shift
    ;;
  '' | -*) ;;
  *)
    echo "There is no bench called $1: give gemm (the default), conv, model or sparse, then options; README.txt says more." >&2
    exit 1
    ;;
esac

# Node: the packed one, unpacked once, else the machine's.
node=''
if [ -f "$here/node/node.xz" ]; then
  place="$here/node"
  [ -w "$place" ] || place="${TMPDIR:-/tmp}/tilewright-node-$(id -u)"
  if [ ! -x "$place/node" ]; then
    mkdir -p "$place" && xz -dc "$here/node/node.xz" > "$place/node.part" &&
      chmod +x "$place/node.part" && mv "$place/node.part" "$place/node"
  fi
  [ -x "$place/node" ] && node="$place/node"
fi
[ -n "$node" ] || node=$(command -v node) || {
  echo "There is no node, and none was packed: install Node 20.19 or newer, or pack again with --node." >&2
  exit 1
}
"$node" -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' || {
  echo "$node is $("$node" --version 2>&1): Node 20.19 or newer is needed." >&2
  exit 1
}

# Vulkan's loader, by which Dawn finds the driver.
has_vulkan() {
  { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -q 'libvulkan\.so\.1' && return 0
  for folder in $(printf '%s' "${LD_LIBRARY_PATH:-}" | tr ':' ' ') /usr/lib /usr/lib64 /usr/lib/x86_64-linux-gnu; do
    [ -e "$folder/libvulkan.so.1" ] && return 0
  done
  return 1
}
if [ -z "${TILEWRIGHT_PACK_NODE:-}" ] && ! has_vulkan; then
  cat >&2 <<'END'
libvulkan.so.1 is missing: Dawn reaches the GPU through it.
  Debian, Ubuntu   apt-get install libvulkan1      Fedora, RHEL   dnf install vulkan-loader
  without root     copy libvulkan.so.1 from a like machine into a folder and set LD_LIBRARY_PATH to it
  NVIDIA           the driver's own file nvidia_icd.json must be in /etc/vulkan/icd.d or /usr/share/vulkan/icd.d (in a container:
                   NVIDIA_DRIVER_CAPABILITIES=all); else write one and name it in VK_DRIVER_FILES
END
  exit 1
fi
# A Node started in another way (a wrapper that brings a driver with it).
node="${TILEWRIGHT_PACK_NODE:-$node}"

# What was tuned on this machine is left out, unless a file is named.
export TILEWRIGHT_TUNING="${TILEWRIGHT_TUNING:-off}"

# What is only told leaves nothing behind.
for option in "$@"; do
  case "$option" in
    --list | --help | -h) exec "$node" "$here/dist/cli.js" bench "$bench" "$@" ;;
  esac
done

mkdir -p "$here/results" || exit 1
stamp=$(date -u +%Y%m%d-%H%M%S)
work="$here/results/$stamp"
"$node" "$here/dist/cli.js" doctor > "$work-doctor.txt" 2>&1 || {
  cat "$work-doctor.txt"
  echo "The GPU cannot be used; see above." >&2
  exit 1
}
cat "$work-doctor.txt"
peers=''
[ -d "$here/bench/peers/node_modules" ] && peers=--peers
"$node" "$here/dist/cli.js" bench "$bench" $peers --json "$work-$bench.json" --text "$work-$bench.txt" "$@"
code=$?
if [ ! -f "$work-$bench.json" ]; then
  # A wrong option, or stopped before the first case: nothing is left behind.
  rm -f "$work-doctor.txt" "$work-$bench.txt"
  rmdir "$here/results" 2>/dev/null
  exit "$code"
fi

# cuBLAS, cuDNN and cuSPARSELt, through PyTorch, where there is one.
script=torch_bench.py
[ "$bench" = sparse ] && script=torch_sparse.py
if [ ! -f "$here/cases-$bench.json" ]; then
  echo "PyTorch is not asked about whole networks."
elif python3 -c 'import torch' 2>/dev/null; then
  python3 "$here/$script" --cases "$here/cases-$bench.json" --ours "$work-$bench.json" --json "$work-torch.json" \
    > "$work-torch.txt" 2>&1 ||
    echo "PyTorch did not measure; see $work-torch.txt" >&2
  cat "$work-torch.txt"
else
  echo "python3 has no torch here: cuBLAS and cuDNN were not timed."
fi

# The adapter's name goes into the files' names.
adapter=$("$node" -p '
  const { adapter } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))
  const name = adapter.description || adapter.device || adapter.vendor
  name.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 40).replace(/^-|-$/g, "")
' "$work-$bench.json") || adapter=unknown
for file in "$work"-*; do
  mv "$file" "$here/results/$adapter-${file##*/}"
done
echo "Results: $here/results/$adapter-$stamp-*"
exit "$code"
