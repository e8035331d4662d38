// The discrete Fourier transform of N points that one invocation holds in registers, of two complex sequences side by side in a
// vec4 (re, im, re, im). N = P * Q by Cooley and Tukey: with j = Q p + q and k = a + P b,
//
//     X[a + P b] = sum over q of W_N^(q a) * (sum over p of x[Q p + q] W_P^(p a)) * W_Q^(q b)
//
//      x as Q columns of P            transformed, times W_N^(qa)        rows of Q transformed
//      0    1   ..  Q-1                 |    |        |                    ----------->
//      Q   Q+1  ..                      |    |        |                    ----------->        X[k] is then at place(k)
//      ..                               v    v        v                    ----------->
//
// All loops have constant bounds, so that compilers unroll them and every element is a register. TWIDDLES[j] = W_N^j = e^(-2 pi i j
// / N).

alias Line = array<vec4<f32>, N>;

const SQRT_HALF = 0.70710678118654752440;

/// -i z
fn turned(z: vec4<f32>) -> vec4<f32> { return vec4<f32>(z.y, -z.x, z.w, -z.z); }

/// Real and imaginary parts swapped: a transform between two swaps is N times the inverse transform.
fn swapped(z: vec4<f32>) -> vec4<f32> { return z.yxwz; }

/// The two complex numbers of z, each times w.
fn times(z: vec4<f32>, w: vec2<f32>) -> vec4<f32> {
  return fma(z, vec4<f32>(w.x), z.yxwz * vec4<f32>(-w.y, w.y, -w.y, w.y));
}

/// Four elements `step` apart, in order.
fn transform4(v: ptr<function, Line>, at: u32, step: u32) {
  let a = (*v)[at] + (*v)[at + 2u * step];
  let b = (*v)[at] - (*v)[at + 2u * step];
  let c = (*v)[at + step] + (*v)[at + 3u * step];
  let d = turned((*v)[at + step] - (*v)[at + 3u * step]);
  (*v)[at] = a + c;
  (*v)[at + step] = b + d;
  (*v)[at + 2u * step] = a - c;
  (*v)[at + 3u * step] = b - d;
}

/// Eight elements `step` apart, in order: the even four and the odd four, then pairs of both.
fn transform8(v: ptr<function, Line>, at: u32, step: u32) {
  transform4(v, at, 2u * step);
  transform4(v, at + step, 2u * step);
  let even = array<vec4<f32>, 4>((*v)[at], (*v)[at + 2u * step], (*v)[at + 4u * step], (*v)[at + 6u * step]);
  let second = (*v)[at + 3u * step];
  let fourth = (*v)[at + 7u * step];
  let odd = array<vec4<f32>, 4>(
    (*v)[at + step],
    SQRT_HALF * (second + turned(second)),
    turned((*v)[at + 5u * step]),
    SQRT_HALF * (turned(fourth) - fourth),
  );
  for (var k = 0u; k < 4u; k++) {
    (*v)[at + k * step] = even[k] + odd[k];
    (*v)[at + (k + 4u) * step] = even[k] - odd[k];
  }
}

fn transform(v: ptr<function, Line>) {
  for (var q = 0u; q < Q; q++) {
    if (P == 8u) { transform8(v, q, Q); } else { transform4(v, q, Q); }
    if (q > 0u) {
      for (var a = 1u; a < P; a++) { (*v)[Q * a + q] = times((*v)[Q * a + q], TWIDDLES[q * a]); }
    }
  }
  for (var a = 0u; a < P; a++) {
    if (Q == 8u) { transform8(v, Q * a, 1u); } else { transform4(v, Q * a, 1u); }
  }
}

/// Where element k of a transform is.
fn place(k: u32) -> u32 { return Q * (k % P) + k / P; }
