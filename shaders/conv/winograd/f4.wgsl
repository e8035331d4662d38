// F(4, 3): four outputs of a filter of three from six products, by the points 0, 1/2, -1/2, 2, -2 and infinity. Of all points with short
// binary fractions these enlarge errors least: half as much along an axis as the usual 0, 1, -1, 2, -2. y = A^T (G g * B^T d), element
// by element:
//
//         | 1   0   -17/4  0     1  0 |        |  1      0     0   |
//         | 0  -2   -4     1/2   1  0 |        | -8/15  -4/15 -2/15|          | 1  1    1    1  1  0 |
//   B^T = | 0   2   -4    -1/2   1  0 |    G = | -8/15   4/15 -2/15|    A^T = | 0  1/2 -1/2  2 -2  0 |
//         | 0  -1/2 -1/4   2     1  0 |        |  1/30   1/15  2/15|          | 0  1/4  1/4  4  4  0 |
//         | 0   1/2 -1/4  -2     1  0 |        |  1/30  -1/15  2/15|          | 0  1/8 -1/8  8 -8  1 |
//         | 0   1    0   -17/4   0  1 |        |  0      0     1   |

const TILE = 4u;
const PATCH = 6u;

fn values_to_points(d: array<vec4<f32>, PATCH>) -> array<vec4<f32>, PATCH> {
  let even_half = d[4] - 4.0 * d[2];
  let odd_half = 0.5 * d[3] - 2.0 * d[1];
  let even_two = d[4] - 0.25 * d[2];
  let odd_two = 2.0 * d[3] - 0.5 * d[1];
  return array(
    (d[0] + d[4]) - 4.25 * d[2],
    even_half + odd_half,
    even_half - odd_half,
    even_two + odd_two,
    even_two - odd_two,
    (d[1] + d[5]) - 4.25 * d[3],
  );
}

fn filter_to_points(g: array<vec4<f32>, 3>) -> array<vec4<f32>, PATCH> {
  let even_half = (-8.0 / 15.0) * g[0] - (2.0 / 15.0) * g[2];
  let odd_half = (-4.0 / 15.0) * g[1];
  let even_two = (1.0 / 30.0) * g[0] + (2.0 / 15.0) * g[2];
  let odd_two = (1.0 / 15.0) * g[1];
  return array(g[0], even_half + odd_half, even_half - odd_half, even_two + odd_two, even_two - odd_two, g[2]);
}

fn points_to_outputs(m: array<vec4<f32>, PATCH>) -> array<vec4<f32>, TILE> {
  let even_half = m[1] + m[2];
  let odd_half = m[1] - m[2];
  let even_two = m[3] + m[4];
  let odd_two = m[3] - m[4];
  return array(
    m[0] + (even_half + even_two),
    0.5 * odd_half + 2.0 * odd_two,
    0.25 * even_half + 4.0 * even_two,
    (0.125 * odd_half + 8.0 * odd_two) + m[5],
  );
}
