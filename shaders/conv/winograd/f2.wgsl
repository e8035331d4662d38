// F(2, 3): two outputs of a filter of three from four products, by the points 0, 1, -1 and infinity (Lavin, Gray, "Fast Algorithms for
// Convolutional Neural Networks", 2015). y = A^T (G g * B^T d), element by element:
//
//         | 1  0 -1  0 |        | 1    0    0  |
//   B^T = | 0  1  1  0 |    G = | 1/2  1/2  1/2|    A^T = | 1  1  1  0 |
//         | 0 -1  1  0 |        | 1/2 -1/2  1/2|          | 0  1 -1 -1 |
//         | 0  1  0 -1 |        | 0    0    1  |

const TILE = 2u;
const PATCH = 4u;

fn values_to_points(d: array<vec4<f32>, PATCH>) -> array<vec4<f32>, PATCH> {
  return array(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
}

fn filter_to_points(g: array<vec4<f32>, 3>) -> array<vec4<f32>, PATCH> {
  let outer = g[0] + g[2];
  return array(g[0], 0.5 * (outer + g[1]), 0.5 * (outer - g[1]), g[2]);
}

fn points_to_outputs(m: array<vec4<f32>, PATCH>) -> array<vec4<f32>, TILE> {
  return array(m[0] + (m[1] + m[2]), (m[1] - m[2]) - m[3]);
}
