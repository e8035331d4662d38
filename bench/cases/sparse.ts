/**
 * What `tilewright bench sparse` times, by stable names: our sparse kernels, each beside our own best dense kernel of the same product,
 * in the same process, in turns. Four sections:
 *
 *     2:4          X [M, K] × Wᵀ, W [N, K] pruned 2:4 and packed, beside the dense product of the pruned weights
 *     2:4-conv     a convolution whose filters are pruned 2:4 along the input channels, beside the dense one
 *     break-even   CSR, CSC, EIE's form and the convolution that skips zeros, at falling densities: where do they overtake the dense one?
 *     run-length   the code of activations (5-bit runs, Eyeriss): what it saves at rising fractions of zeros, and what making it costs
 */
import { CONV, CONV_CASES, type ConvCase } from './conv.ts'
import { caseNamed, type Bench, type BenchCase } from './table.ts'

export const SPARSE_FAMILIES = ['2:4', '2:4-conv', 'break-even', 'run-length'] as const
export type SparseFamily = (typeof SPARSE_FAMILIES)[number]

interface Sized {
  readonly m: number
  readonly n: number
  readonly k: number
}

/** Of the weights: f32 and f16 stand for X and Y, too; int8 and int4 weights have f32 beside them, and a scale for each block. */
export type SparseDtype = 'f32' | 'f16' | 'int8' | 'int4'

export interface ProductCase extends BenchCase, Sized {
  readonly family: '2:4'
  readonly dtype: SparseDtype
  /** Lines of W that share their positions. */
  readonly share: number
}

export interface PrunedConvCase extends BenchCase {
  readonly family: '2:4-conv'
  readonly dtype: 'f32' | 'f16'
  /** As the convolutions' bench has it. */
  readonly layer: ConvCase
}

export const FORMATS = ['csr', 'csc', 'eie'] as const
export type Format = (typeof FORMATS)[number]

/** Weights that are mostly zero. */
export interface FormatCase extends BenchCase, Sized {
  readonly family: 'break-even'
  readonly dtype: 'f32'
  readonly format: Format
}

/** Activations that are mostly zero. */
export interface SkippingCase extends BenchCase {
  readonly family: 'break-even'
  readonly dtype: 'f32'
  readonly format: 'zero-skipping'
  readonly layer: ConvCase
}

export interface RunLengthCase extends BenchCase {
  readonly family: 'run-length'
  readonly dtype: 'f16'
  readonly count: number
}

export type SparseCase = ProductCase | PrunedConvCase | FormatCase | SkippingCase | RunLengthCase

/** Shares of weights, or of activations, that are not zero. */
export const DENSITIES = [0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01] as const

/** Of depth under one scale, where weights are integers. */
export const BLOCK = 128

const product = (name: string, m: number, [n, k]: readonly [number, number], dtype: SparseDtype, share = 1): ProductCase => ({
  name: `${name}-${dtype}${share === 1 ? '' : `-share${share}`}`,
  family: '2:4',
  dtype,
  m,
  n,
  k,
  share,
})

const SIDE = [4096, 4096] as const
const ROWS = [1, 16, 128, 4096] as const
const ROWS_F32 = [1, 2, 4, 8, 16, 128, 4096] as const

/** BERT base, 128 tokens: projection, feed-forward in and out. ResNet-50's 1×1 layers as products stand among the convolutions. */
const BERT = [
  ['768-768', 768, 768],
  ['768-3072', 3072, 768],
  ['3072-768', 768, 3072],
] as const

const pruned = (name: string): PrunedConvCase => {
  const layer = caseNamed(CONV, name)
  return { name: `2:4-${name}`, family: '2:4-conv', dtype: layer.dtype, layer }
}

const format = (kind: Format, { m, n, k }: Sized): FormatCase => ({
  name: `${kind}-m${m}-${k}x${n}-f32`,
  family: 'break-even',
  dtype: 'f32',
  format: kind,
  m,
  n,
  k,
})

const skipping = (name: string): SkippingCase => {
  const layer = caseNamed(CONV, name)
  return { name: `zero-skipping-${name}`, family: 'break-even', dtype: 'f32', format: 'zero-skipping', layer }
}

export const SPARSE_CASES: readonly SparseCase[] = [
  ...ROWS_F32.map((m) => product(`m${m}-4096x4096`, m, SIDE, 'f32')),
  ...(['f16', 'int8', 'int4'] as const).flatMap((dtype) => ROWS.map((m) => product(`m${m}-4096x4096`, m, SIDE, dtype))),
  ...[1, 16].map((m) => product(`m${m}-4096x4096`, m, SIDE, 'f32', 32)),
  ...BERT.map(([name, n, k]) => product(`bert-${name}`, 128, [n, k], 'f32')),
  ...CONV_CASES.filter(({ name }) => /^resnet50-(1x1|3x3)-.*-f32$/.test(name) && !name.includes('batch')).map(({ name }) =>
    pruned(name),
  ),
  format('csr', { m: 1, n: 2048, k: 2048 }),
  format('csr', { m: 16, n: 2048, k: 2048 }),
  format('csc', { m: 1, n: 2048, k: 2048 }),
  format('eie', { m: 1, n: 2048, k: 2048 }),
  skipping('resnet50-3x3-128-128-28-f32'),
  skipping('resnet50-1x1-1024-256-14-f32'),
  { name: 'run-length-1048576-f16', family: 'run-length', dtype: 'f16', count: 2 ** 20 },
]

/** Multiplications with addition of the dense product. */
function macs(item: SparseCase): number {
  if ('layer' in item) return CONV.macs(item.layer)
  return 'm' in item ? item.m * item.n * item.k : 0
}

/** Bytes of one element of W, and of X and Y. */
const BYTES: Readonly<Record<SparseDtype, { readonly w: number; readonly x: number }>> = {
  f32: { w: 4, x: 4 },
  f16: { w: 2, x: 2 },
  int8: { w: 1 + 4 / BLOCK, x: 4 },
  int4: { w: 0.5 + 4 / BLOCK, x: 4 },
}

/** Of the dense product: every operand once. */
function leastBytes(item: SparseCase): number {
  if ('layer' in item) return CONV.leastBytes(item.layer)
  if (!('m' in item)) return 2 * item.count
  const { w, x } = BYTES[item.dtype]
  return item.n * item.k * w + (item.m * item.k + item.m * item.n) * x
}

/** Above this many a software adapter is not asked. */
const SOFTWARE_MOST = 4e9

/** Convolutions of which one each speaks for its kind where time is short. */
const SOFTWARE_CONVS: readonly string[] = ['3x3-64-64-56', '3x3-256-256-14', '1x1-1024-256-14'].map(
  (layer) => `2:4-resnet50-${layer}-f32`,
)

/** Whether a software adapter, on which it takes long, is spared a case that others like it speak for. */
function isSpared(item: SparseCase): boolean {
  if (item.family === '2:4-conv') return !SOFTWARE_CONVS.includes(item.name)
  return item.family === '2:4' && (item.name.startsWith('bert-') || (item.m > 16 && item.dtype !== 'f32'))
}

function leftOut(item: SparseCase, software: boolean, named = false): string | undefined {
  if (!software) return undefined
  if (macs(item) > SOFTWARE_MOST) return 'for GPUs: a software adapter takes seconds a run'
  return !named && isSpared(item) ? 'a software adapter is spared it, so that all takes minutes; ask by --cases' : undefined
}

/**
 * Errors beyond which a result is wrong. Of 4- and 8-bit weights, what the dense kernels may round of the activations (accuracy level 4).
 */
const MOST_ERROR: Readonly<Record<string, number>> = { f32: 1e-4, f16: 2e-3, int8: 1e-2, int4: 1e-2 }

export const SPARSE: Bench<SparseCase, 'sparse'> = {
  name: 'sparse',
  cases: SPARSE_CASES,
  families: SPARSE_FAMILIES,
  quick: ['m1-4096x4096-f32', 'bert-768-768-f32', '2:4-resnet50-1x1-1024-256-14-f32', 'csr-m1-2048x2048-f32'],
  others: ['ort-webgpu', 'ort-cpu'],
  example: 'm1-*',
  macs,
  leastBytes,
  leftOut,
  mostError: (item) => (item.family === 'run-length' ? 0 : (MOST_ERROR[item.dtype] ?? 0)),
  firstFromOpening: false,
  byFamily: true,
  heldAgainstCpu: false,
}
