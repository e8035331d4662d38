/**
 * Convolution by an explicit patch matrix (im2col: the Toeplitz matrix of the window, rows and columns swapped), then a plain matrix
 * product: the baseline of the survey that other algorithms are held against. Think of it as the implicit product whose left side is
 * written out first, each value as often as windows cover it:
 *
 *     X ──▶ patches [picture, group][position][tap, channel] ──▶ · W [tap, channel][filter] ──▶ Y, through the epilogue
 */
import { z } from 'zod'
import body from '../../../../shaders/conv/im2col.wgsl?raw'
import { rebound, rewired, segmentBytes, segmentCount, type DeviceFacts, type TensorRef } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { planProduct } from '../../gemm/choose.ts'
import { dispatchesOf } from '../../gemm/dispatch.ts'
import { allCandidates, kernelRefusal } from '../../gemm/families.ts'
import { slicesOf, type Product } from '../../gemm/product.ts'
import type { Algorithm } from '../algorithm.ts'
import { INPUT, macsOf, type Convolution } from '../convolution.ts'
import { bytesOf, packedType, packFilters } from '../filters.ts'
import { implicitGemm, productOf } from './implicit-gemm.ts'
import { strassenSpread } from '../strassen.ts'

const schema = z.strictObject({
  algorithm: z.literal('im2col'),
  /** The kernel of the product: its name, or its configuration. Absent: its choice. */
  kernel: z.union([z.string(), z.looseObject({ kernel: z.string() })]).optional(),
})
export type Im2colConfig = z.infer<typeof schema>

const LANES = 64
/** Elements that 32-bit indices reach. */
const INDEXABLE = 2 ** 31

export const im2col: Algorithm<Im2colConfig> = {
  name: 'im2col',
  schema,
  mixes: true,
  places: true,

  refusal(conv, config, device) {
    const implicit = implicitGemm.refusal(conv, { algorithm: 'implicit-gemm', rows: 'positions' }, device)
    if (implicit !== undefined) return implicit
    const patches = patchesOf(conv)
    const size = sizeOf(patches.shape)
    if (size >= INDEXABLE) return `${size} elements of patches, 32-bit indices reach ${INDEXABLE}`
    const most = device.limits.maxStorageBuffersPerShaderStage
    const { x, bias, residual, output } = conv
    for (const types of [
      [x, packedType(conv), patches],
      [patches, packedType(conv), bias, residual, output],
    ]) {
      const segments = segmentsOf(types, device)
      if (segments <= most) continue
      const bytes = bytesOf([patches])
      return `${bytes} bytes of patches: ${segments} segments of tensors in one dispatch, maxStorageBuffersPerShaderStage ${most}`
    }
    return config.kernel === undefined ? undefined : kernelRefusal(explicitProduct(conv), config.kernel, device)
  },

  candidates(conv, device) {
    const byRule: Im2colConfig = { algorithm: 'im2col' }
    if (im2col.refusal(conv, byRule, device) !== undefined) return []
    return [
      byRule,
      ...allCandidates(explicitProduct(conv), device).map((kernel): Im2colConfig => ({ ...byRule, kernel: { ...kernel } })),
    ]
  },

  plan(conv, config, device) {
    const implicit = productOf(conv, { rows: 'positions' })
    const patches = patchesOf(conv)
    const quads = sizeOf(patches.shape) / 4
    const stores = dispatchesOf(implicit, {
      name: 'im2col',
      body,
      constants: {},
      workgroupSize: [LANES, 1, 1],
      groups: () => Math.ceil(quads / LANES),
      params: { quads, row_quads: rowOf(implicit) / 4 },
      stores: 'none',
      extra: [{ name: 'patches', dtype: patches.dtype, access: 'write', width: 4, ref: { kind: 'temp', index: 0 } }],
    })
    const filters: TensorRef = { kind: 'prepared', index: 0 }
    const product = planProduct(explicitProduct(conv), device, config.kernel)
    const { dispatches, temps } = rewired(product, {
      inputs: [{ kind: 'temp', index: 0 }, filters, { kind: 'input', index: INPUT.bias }, { kind: 'input', index: INPUT.residual }],
      outputs: [{ kind: 'output', index: 0 }],
      firstTemp: 1,
    })
    const cost = { flops: 0, bytes: bytesOf([conv.x, patches]) }
    return {
      reason: `patches stored, then ${product.reason}`,
      dispatches: [
        ...stores.map((dispatch) => ({ ...rebound(dispatch, { input: [{ kind: 'input', index: INPUT.x }, filters] }), cost })),
        ...dispatches,
      ],
      temps: [patches, ...temps],
      prepared: [packFilters(conv, 0)],
    }
  },

  /** Patches are stored once and loaded once. */
  work(conv) {
    const macs = macsOf(conv)
    const patches = patchesOf(conv)
    const bytes = bytesOf([conv.x, patches, patches, packedType(conv), conv.bias, conv.residual, conv.output])
    return { multiplications: macs, additions: macs, bytes }
  },

  error: (conv, { kernel }) => strassenSpread(conv, kernel)?.error ?? 0,

  spread: (conv, config) => strassenSpread(conv, config?.kernel),
}

/** Elements of a row of patches: in whole quads. */
function rowOf({ depth }: Pick<Product, 'depth'>): number {
  return 4 * Math.ceil(depth / 4)
}

function patchesOf(conv: Convolution): TensorType {
  const product = productOf(conv, { rows: 'positions' })
  return { dtype: conv.x.dtype, shape: [slicesOf(product), product.rows, rowOf(product)] }
}

/** The implicit product with the patches as its left side; they are its input 0 in the stead of X. */
function explicitProduct(conv: Convolution): Product {
  const product = productOf(conv, { rows: 'positions' })
  const row = rowOf(product)
  const batch = product.batch.map((dimension, axis) => ({
    ...dimension,
    a: slicesOf({ batch: product.batch.slice(axis + 1) }) * product.rows * row,
  }))
  return { ...product, a: { input: product.a.input, type: patchesOf(conv), line: row, depth: 1 }, batch }
}

function segmentsOf(types: readonly (TensorType | undefined)[], { limits }: DeviceFacts): number {
  const bytes = segmentBytes(limits)
  return types.reduce((sum, type) => sum + (type === undefined ? 0 : segmentCount(type, bytes)), 0)
}
