// Product with packed weights without workgroup memory. A subgroup of SIZE lanes owns ROWS rows by 4*SIZE columns, a lane four
// columns. A lane loads WORDS words of its own columns, and for every STEP of them the subgroup loads the quads of A that go with them,
// PARTS a lane; quads reach all lanes by shuffles, weights are dequantised once for all rows:
//
//                          lane 0        lane 1                q = (word, quad of it, row), lane q % SIZE loaded it
//                        [4 columns]   [4 columns]
//      row r             acc[r]        acc[r]                  acc[r] += A[r][k] * w[k][lane's columns], k = 0 .. 3 of each quad

const QUADS = PER_WORD / 4u;
const PARTS = (ROWS * QUADS * STEP + SIZE - 1u) / SIZE;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let lane = index % SIZE;
  let row0 = (group / params.column_tiles) * ROWS;
  let column = 4u * ((group % params.column_tiles) * WORKGROUP_X + index);

  var acc: array<vec4<f32>, ROWS>;
  for (var block = 0u; block < params.blocks; block++) {
    let scales = four_scales(column, block);
    let zeros = four_zeros(column, block);
    for (var word = 0u; word < params.block_words; word += WORDS) {
      var words = words_at(column, block, word);
      for (var part = 0u; part < WORDS; part += STEP) {
        let k0 = (block * params.block_words + word + part) * PER_WORD;
        var left: array<vec4<f32>, PARTS>;
        for (var p = 0u; p < PARTS; p++) {
          let q = p * SIZE + lane;
          left[p] = left_quad(min(row0 + q % ROWS, params.rows - 1u), k0 + 4u * (q / ROWS));
        }
        for (var w = 0u; w < STEP; w++) {
          for (var h = 0u; h < QUADS; h++) {
            let w0 = weights_at(words[part + w], 4u * h, zeros, scales);
            let w1 = weights_at(words[part + w], 4u * h + 1u, zeros, scales);
            let w2 = weights_at(words[part + w], 4u * h + 2u, zeros, scales);
            let w3 = weights_at(words[part + w], 4u * h + 3u, zeros, scales);
            for (var r = 0u; r < ROWS; r++) {
              let q = (w * QUADS + h) * ROWS + r;
              let a = subgroupShuffle(left[q / SIZE], q % SIZE);
              acc[r] = fma(vec4<f32>(a.x), w0, acc[r]);
              acc[r] = fma(vec4<f32>(a.y), w1, acc[r]);
              acc[r] = fma(vec4<f32>(a.z), w2, acc[r]);
              acc[r] = fma(vec4<f32>(a.w), w3, acc[r]);
            }
          }
        }
      }
    }
  }

  for (var r = 0u; r < ROWS; r++) {
    if (row0 + r < params.rows && column < params.columns) { finish_quad(Slice(0u, 0u), row0 + r, column, acc[r]); }
  }
}
