// Winograd's form of Strassen's product of matrices of 2 x 2 blocks: 7 products and 15 additions (Higham, Accuracy and Stability of
// Numerical Algorithms, 2nd ed., section 23.1). Blocks are in the order 11, 12, 21, 22, products in that of the paper:
//
//     S1 = A21 + A22    T1 = B12 - B11    P1 = A11 B11    P5 = S1 T1      C11 = P1 + P2
//     S2 = S1 - A11     T2 = B22 - T1     P2 = A12 B21    P6 = S2 T2      U = P1 + P6    V = U + P7
//     S3 = A11 - A21    T3 = B22 - B12    P3 = S4 B22     P7 = S3 T3      C12 = U + P5 + P3
//     S4 = A12 - S2     T4 = T2 - B21     P4 = A22 T4                     C21 = V - P4    C22 = V + P5

// With two levels the blocks of a block are cut likewise: block (r, c) of block (R, C) lies at 4 (2 R + C) + 2 r + c, and product q
// of the blocks' product p at 7 p + q. INNER is how many blocks the inner level has: 4, or 1 where there is none.

alias Four = array<vec4<f32>, 4>;
alias Seven = array<vec4<f32>, 7>;

fn left_factors(a: Four) -> Seven {
  let s1 = a[2] + a[3];
  let s2 = s1 - a[0];
  return Seven(a[0], a[1], a[1] - s2, a[3], s1, s2, a[0] - a[2]);
}

fn right_factors(b: Four) -> Seven {
  let t1 = b[1] - b[0];
  let t2 = b[3] - t1;
  return Seven(b[0], b[2], b[3], t2 - b[2], t1, t2, b[3] - b[1]);
}

fn results(p: Seven) -> Four {
  let u = p[0] + p[5];
  let v = u + p[6];
  return Four(p[0] + p[1], u + p[4] + p[2], v - p[3], v + p[4]);
}

/// Rows (columns) of blocks above (left of) block `index`.
fn row_of(index: u32) -> u32 { return select(index / 8u * 2u + index % 4u / 2u, index / 2u, INNER == 1u); }
fn column_of(index: u32) -> u32 { return select(index / 4u % 2u * 2u + index % 2u, index % 2u, INNER == 1u); }
