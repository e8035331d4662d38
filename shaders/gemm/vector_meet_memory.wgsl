// The ALONG sums of a quad meet in workgroup memory, half of them joining the other half at a time (ALONG is a power of two):
//
//   along   0  1  2  3  4  5  6  7
//           +  +  +  +  <----------   half = 4
//           +  +  <----               half = 2
//           +  <-                     half = 1: along 0 has the sum
//
// where `size` lanes of a subgroup have met already (1: none have), halves nearer than that are done.
var<workgroup> shares: array<vec4<f32>, MEET * LANES>;

fn meet_in_memory(sums: ptr<function, array<vec4<f32>, MEET>>, lane: u32, along: u32, size: u32) {
  for (var i = 0u; i < MEET; i++) { shares[i * LANES + lane] = sums[i]; }
  for (var step = ALONG_STEP * ALONG / 2u; step >= max(size, ALONG_STEP); step /= 2u) {
    workgroupBarrier();
    if (along * ALONG_STEP < step) {
      for (var i = 0u; i < MEET; i++) { shares[i * LANES + lane] += shares[i * LANES + lane + step]; }
    }
  }
  for (var i = 0u; i < MEET; i++) { sums[i] = shares[i * LANES + lane]; }
  // The next sums are written over these.
  workgroupBarrier();
}
