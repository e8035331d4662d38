/**
 * Seeded values for weights and inputs, so that a network can be run, timed and checked without a download.
 *
 * The rule is counter-based: element i of a tensor depends on (seed, tensor name, i) alone, so tensors are made in any order,
 * lazily, and the same everywhere.
 *   key   = fmix32(fnv1a32(UTF-8 of the tensor's name) ^ fmix32(seed + 0x9E3779B9))
 *   bits  = fmix32((i · 0x9E3779B1 mod 2³²) ^ key)               as a signed 32-bit integer
 *   value = centre + bits / 2³¹ · spread                         uniform in [centre − spread, centre + spread), rounded to f32
 * fmix32 is the finaliser of MurmurHash3 (Austin Appleby, public domain), fnv1a32 the 32-bit FNV-1a hash.
 */
import type { Shape } from '../src/tensor/shape.ts'
import { sizeOf } from '../src/tensor/shape.ts'
import { HostTensor } from '../src/tensor/tensor.ts'

/** A uniform distribution over [centre − spread, centre + spread). */
export interface Uniform {
  readonly centre: number
  readonly spread: number
}

/**
 * Uniform weights scaled so that a layer followed by a ReLU keeps the size of its activations: variance 2 / fanIn
 * (He et al. 2015, equation 10), which for a uniform distribution is a spread of √(6 / fanIn).
 */
export function heUniform(fanIn: number): Uniform {
  return { centre: 0, spread: Math.sqrt(6 / fanIn) }
}

/** `count` values of the tensor called `name` under the rule above. */
export function seededValues(seed: number, name: string, count: number, { centre, spread }: Uniform): Float32Array {
  const key = fmix32(fnv1a32(name) ^ fmix32((seed + 0x9e3779b9) | 0))
  const values = new Float32Array(count)
  const scale = spread / 2 ** 31
  for (let i = 0; i < count; i++) {
    let x = Math.imul(i, 0x9e3779b1) ^ key
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
    values[i] = centre + (x ^ (x >>> 16)) * scale
  }
  return values
}

/** A lazy tensor under the rule: nothing is computed before its values are read. */
export function seededTensor(seed: number, name: string, shape: Shape, distribution: Uniform): HostTensor<'f32'> {
  return new HostTensor('f32', shape, () => seededValues(seed, name, sizeOf(shape), distribution))
}

/** A seeded network input: uniform in [−1, 1). */
export function seededInput(seed: number, name: string, shape: Shape): HostTensor<'f32'> {
  return seededTensor(seed, `input:${name}`, shape, { centre: 0, spread: 1 })
}

function fmix32(value: number): number {
  let x = value
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}

function fnv1a32(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}
