// Reduces X as [outer][size][inner] to [outer][inner], an element being a value or a quad of channels:
//
//     nchw    outer: pictures and channels, inner: 1             nhwc   outer: pictures, inner: channels (or quads of them)
//     nchw4   outer: pictures and quads of channels, inner: 1
//
// A workgroup takes ACROSS neighbours of `inner`; LANES / ACROSS invocations share the `size` elements of each, then the shares meet in
// workgroup memory, half of them at each step (both are powers of two). What folding is, and what becomes of the result, is said by
// mean.wgsl or maximum.wgsl.

var<workgroup> shares: array<x_t, LANES>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let outer = group / params.blocks;
  let channel = (group - outer * params.blocks) * ACROSS + lane % ACROSS;
  let first = outer * params.size * params.inner + min(channel, params.inner - 1u);
  var share = x_t(params.start);
  for (var i = lane / ACROSS; i < params.size; i += LANES / ACROSS) {
    share = combine(share, load_x(first + i * params.inner));
  }
  shares[lane] = share;
  for (var half = LANES / 2u; half >= ACROSS; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shares[lane] = combine(shares[lane], shares[lane + half]); }
  }
  if (lane < ACROSS && channel < params.inner) { store_y(outer * params.inner + channel, finished(shares[lane], params.size)); }
}
