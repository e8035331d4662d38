/**
 * The matrix products that `tilewright bench gemm` times, by stable names: one table for the command, its tests, the peers and
 * the pack. Think of a case as C[M, N] = A[M, K] · B[K, N], `batch` times:
 *
 *              N                      dtype   A and C        B
 *           ┌─────┐                   f32     f32            f32
 *         K │  B  │                   f16     f16            f16, sums in f32
 *           └─────┘                   int4    f32            4 bits, a f32 scale for every 32 along K, zero point 8
 *     ┌───┐ ┌─────┐                   int8    i8 → i32       i8
 *   M │ A │ │  C  │
 *     └───┘ └─────┘
 *       K
 *
 * Convolutions stand as the product they amount to: M output pixels, K inputs under the window, N output channels.
 */
import type { Bench, BenchCase } from './table.ts'

export type GemmDtype = 'f32' | 'f16' | 'int4' | 'int8'

const FAMILIES = ['square', 'llm', 'int8', 'resnet', 'bert', 'odd', 'transposed'] as const
type Family = (typeof FAMILIES)[number]

export interface GemmCase extends BenchCase {
  readonly family: Family
  readonly dtype: GemmDtype
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
  /** B lies as [N, K]. */
  readonly transposed: boolean
  /** B is a weight, known before the run; else both operands are activations. */
  readonly weights: boolean
}

/** Weights that share a scale, along K, where weights have 4 bits. */
export const BLOCK = 32

type Size = readonly [m: number, n: number, k: number]

function gemm(name: string, family: Family, dtype: GemmDtype, [m, n, k]: Size, more: Partial<GemmCase> = {}): GemmCase {
  return { name: `${name}-${dtype}`, family, dtype, batch: 1, m, n, k, transposed: dtype === 'int4', weights: true, ...more }
}

const square = (side: number, dtype: GemmDtype): GemmCase => gemm(`square-${side}`, 'square', dtype, [side, side, side])

/** Projections of a transformer of 4096 features (Llama 2 7B): attention, and the feed-forward layer. */
const LLM = [
  [4096, 4096],
  [11008, 4096],
] as const

const llm = (m: number, [n, k]: readonly [number, number], dtype: GemmDtype): GemmCase =>
  gemm(`llm-m${m}-${k}x${n}`, 'llm', dtype, [m, n, k])

/** ResNet-50: input channels to output channels at a side of the picture (1×1 unless named). */
const RESNET = [
  ['1x1-64-256-56', 64, 256, 56],
  ['1x1-256-64-56', 256, 64, 56],
  ['1x1-512-128-28', 512, 128, 28],
  ['1x1-1024-256-14', 1024, 256, 14],
  ['1x1-2048-512-7', 2048, 512, 7],
  ['3x3-256-256-14', 256 * 9, 256, 14],
] as const

/** BERT base, 128 tokens: projection, feed-forward in and out. */
const BERT = [
  ['768-768', 768, 768],
  ['768-3072', 3072, 768],
  ['3072-768', 768, 3072],
] as const

const ODD: readonly Size[] = [
  [127, 131, 137],
  [509, 521, 523],
  [1021, 1031, 1033],
  [1, 4099, 4093],
]

const heads = (name: string, [m, n, k]: Size): GemmCase => gemm(name, 'bert', 'f32', [m, n, k], { batch: 12, weights: false })

export const GEMM_CASES: readonly GemmCase[] = [
  ...[256, 512, 1024, 2048, 4096].map((side) => square(side, 'f32')),
  ...[512, 1024, 2048, 4096].map((side) => square(side, 'f16')),
  ...(['f32', 'f16', 'int4'] as const).flatMap((dtype) => LLM.flatMap((size) => [1, 16, 128].map((m) => llm(m, size, dtype)))),
  ...[512, 1024].map((side) => ({ ...square(side, 'int8'), family: 'int8' as const })),
  { ...llm(16, LLM[0], 'int8'), family: 'int8' },
  ...RESNET.map(([name, k, n, side]) => gemm(`resnet-${name}`, 'resnet', 'f32', [side * side, n, k])),
  ...BERT.map(([name, n, k]) => gemm(`bert-${name}`, 'bert', 'f32', [128, n, k])),
  heads('bert-scores-12x128x64x128', [128, 128, 64]),
  heads('bert-context-12x128x128x64', [128, 64, 128]),
  ...ODD.map(([m, n, k]) => gemm(`odd-${m}x${n}x${k}`, 'odd', 'f32', [m, n, k])),
  gemm('transposed-1024', 'transposed', 'f32', [1024, 1024, 1024], { transposed: true }),
]

const QUICK: readonly string[] = ['square-256-f32', 'square-512-f32', 'square-512-f16', 'bert-768-768-f32', 'odd-127x131x137-f32']

/** Above this many multiplications a software adapter is given one sample, as a 1024³ is the largest that is repeated. */
export const SOFTWARE_REPEATED = 1024 ** 3
/** Above this many a software adapter is not asked: 4096³ takes it half a minute a run. */
export const SOFTWARE_MOST = 2048 ** 3

/** Multiplications with addition. */
export function macs({ batch, m, n, k }: GemmCase): number {
  return batch * m * n * k
}

/** Bytes of one element of B, and of A and C. */
const BYTES: Readonly<Record<GemmDtype, { readonly a: number; readonly b: number; readonly c: number }>> = {
  f32: { a: 4, b: 4, c: 4 },
  f16: { a: 2, b: 2, c: 2 },
  // Half a byte, and 4 bytes of scale for each block.
  int4: { a: 4, b: 0.5 + 4 / BLOCK, c: 4 },
  int8: { a: 1, b: 1, c: 4 },
}

/** Bytes that move at least: every operand once, as densely as the dtype allows. */
export function leastBytes(item: GemmCase): number {
  const { batch, m, n, k, dtype } = item
  const { a, b, c } = BYTES[dtype]
  return batch * (m * k * a + k * n * b + m * n * c)
}

/** Why a case is not run on this kind of adapter, or undefined where it is. */
export function leftOut(item: GemmCase, software: boolean): string | undefined {
  if (software && macs(item) > SOFTWARE_MOST) return 'beyond 2048³: a software adapter takes half a minute a run'
  return undefined
}

/**
 * Errors beyond which a product is wrong. 4-bit weights: what making bytes of the activations costs, as accuracy level 4 allows
 * it; integers are exact.
 */
const MOST_ERROR: Readonly<Record<GemmDtype, number>> = { f32: 1e-4, f16: 1e-3, int4: 1e-2, int8: 0 }

export const GEMM: Bench<GemmCase> = {
  name: 'gemm',
  cases: GEMM_CASES,
  families: FAMILIES,
  quick: QUICK,
  others: ['ort-webgpu', 'ort-cpu', 'tfjs-webgpu'],
  example: 'square-*-f32',
  macs,
  leastBytes,
  leftOut,
  mostError: ({ dtype }) => MOST_ERROR[dtype],
  firstFromOpening: false,
  byFamily: false,
  heldAgainstCpu: false,
}
