/** What becomes of the bare sums of a convolution on the CPU: bias, residual, activation, and the layout of the result. */
import { sizeOf } from '../../tensor/shape.ts'
import { activateExact } from '../gemm/activation.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import type { WindowAxis } from '../window.ts'
import { INPUT } from './convolution.ts'
import { moveLayout, type LayoutSizes } from './layouts.ts'
import type { ConvAttributes, ConvSizes } from './rule.ts'

/** Sums without an epilogue. */
export interface ConvSums {
  /** Σ w·x, [N, M, depth, height, width]. */
  readonly sum: Float64Array
  /** Σ |w·x|. */
  readonly magnitude: Float64Array
  /** Terms of the longest of them. */
  readonly depth: number
}

type Outputs = Pick<WindowAxis, 'output'>

/** Sizes of a result; `shape` is that of its layout. */
export interface FinishSizes extends Pick<ConvSizes, 'batch' | 'groups' | 'filters' | 'outputLayout' | 'shape'> {
  readonly axes: readonly [Outputs, Outputs, Outputs]
}

/**
 * The result of sums, which it overwrites.
 * @param inputs as conv2d's
 * @param more what else an algorithm's rounding may add to each
 */
export function finishSums(
  { sum, magnitude, depth }: ConvSums,
  inputs: InputValues,
  attributes: Pick<ConvAttributes, 'activation' | 'accumulate'>,
  { batch, groups, filters, outputLayout, axes, shape }: FinishSizes,
  more: Float64Array | null = null,
): ReferenceOutput {
  const dtype = inputs[INPUT.x]?.dtype === 'f16' ? 'f16' : 'f32'
  const bias = inputs[INPUT.bias] ?? null
  const addends = bias === null ? null : floatsOf(bias)
  const given = inputs[INPUT.residual] ?? null
  const outputs: LayoutSizes = {
    batch,
    channels: groups * filters,
    extents: [axes[0].output, axes[1].output, axes[2].output],
  }
  const others = given === null ? null : new Float32Array(sum.length)
  if (given !== null && others !== null) moveLayout(floatsOf(given), outputLayout, others, 'nchw', outputs)
  const factor = gamma(depth + (addends === null ? 0 : 1) + (others === null ? 0 : 1)) + halfSums(attributes, depth)
  const spreads = more === null ? {} : { spreads: true }
  const pixels = outputs.extents.reduce((count, extent) => count * extent, 1)
  for (let at = 0; at < sum.length; at++) {
    const addend = addends === null ? 0 : addends[Math.floor(at / pixels) % (filters * groups)]!
    const other = others === null ? 0 : others[at]!
    const bound = factor * (magnitude[at]! + Math.abs(addend) + Math.abs(other)) + (more === null ? 0 : more[at]!)
    const result = activateExact(attributes.activation, sum[at]! + addend + other, bound)
    sum[at] = result.value
    // A bias or a residual that is not finite spreads to nothing else.
    const held = more !== null && more[at] !== Infinity && !Number.isFinite(result.value)
    magnitude[at] = held ? 0 : result.bound
  }
  if (outputLayout === 'nchw') {
    return { tensor: rounded(dtype, shape, sum), exact: sum, tolerance: { kind: 'bound', bound: magnitude, ...spreads } }
  }
  const exact = new Float64Array(sizeOf(shape))
  // What lies at channels past the last is nobody's.
  const bound = new Float64Array(exact.length).fill(Infinity)
  moveLayout(sum, 'nchw', exact, outputLayout, outputs)
  moveLayout(magnitude, 'nchw', bound, outputLayout, outputs)
  return { tensor: rounded(dtype, shape, exact), exact, tolerance: { kind: 'bound', bound, ...spreads } }
}

/** Sums in f16 lose digits of their own: γ_K of their roundoff 2⁻¹¹. */
function halfSums({ accumulate }: Pick<ConvAttributes, 'accumulate'>, depth: number): number {
  return accumulate === 'f16' ? gamma(depth + 1, 2 ** -11) : 0
}
