/**
 * Strassen's product in Winograd's form: 7 products of blocks and 15 additions for 8 products, on one level or two. Think of it as
 * a product of products: all factors of the blocks' products are made first, one dispatch for each side, then the products run as
 * one batch of another family, then one dispatch adds them up and runs the epilogue.
 *
 *     A ─ factors ─► [7][rows / 2][depth / 2] ────┐
 *                                                 ├─ 7 products, one batch ─► [7][rows / 2][columns / 2] ─ finish ─► Y
 *     B ─ factors ─► [7][depth / 2][columns / 2] ─┘
 *
 * Odd sizes read as padded with zeros. What is saved in multiplications is paid in memory, which is why only large products gain;
 * what the additions lose is stated by `strassenError`. No rule chooses it: it runs where it is forced, or where it was measured to
 * be the fastest.
 */
import { z } from 'zod'
import combinations from '../../../../shaders/gemm/strassen/combinations.wgsl?raw'
import factorsBody from '../../../../shaders/gemm/strassen/factors.wgsl?raw'
import finishBody from '../../../../shaders/gemm/strassen/finish.wgsl?raw'
import { rewired, type DeviceFacts, type DispatchPlan, type TensorRef } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { dispatchesOf, readForm, type Kernel } from '../dispatch.ts'
import { erased, type Accesses, type Config, type Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { blocksOf, STRASSEN, type Blocks, type Levels } from '../strassen.ts'
import { broadcast } from './broadcast.ts'
import { registers } from './registers.ts'
import { partialsRefusal } from './split.ts'
import { tiled, tiledByRule } from './tiled.ts'

/** Families that may run the products of blocks. */
const INNER = { broadcast: erased(broadcast), registers: erased(registers), tiled: erased(tiled) } as const

const schema = z.strictObject({
  kernel: z.literal(STRASSEN),
  levels: z.literal([1, 2]).default(1),
  /** Runs the products of blocks: a configuration of broadcast, registers or tiled. Absent: the one that suits the device. */
  product: z.looseObject({ kernel: z.enum(['broadcast', 'registers', 'tiled']) }).optional(),
})

export type StrassenConfig = z.infer<typeof schema>

/** From here on along every side it is worth measuring. */
const LEAST_SIDE = 1024
const LANES = 64

export const strassen: Family<StrassenConfig> = {
  name: STRASSEN,
  schema,

  refusal(product, config, device) {
    const { rows, columns, depth, a, b, accumulate } = product
    if (a.window !== undefined || b.window !== undefined) return 'a side that is read through a window has no blocks'
    if (b.sparse !== undefined) return 'B is packed in 2:4, and sums of its blocks are not'
    if (slicesOf(product) > 1) return `${slicesOf(product)} products in a batch, it takes one`
    if (accumulate !== 'f32') return 'its sums are kept in f32'
    for (const { dtype } of [a.type, b.type]) if (dtype !== 'f32' && dtype !== 'f16') return `operands of ${dtype}`
    const least = Math.min(rows, columns, depth)
    if (least < 2 ** config.levels) return `a side of ${least} has no blocks on ${config.levels} levels`
    const blocks = blocksOf(product, config.levels)
    for (const temp of tempsOf(blocks)) {
      const refused = partialsRefusal(product, temp, device)
      if (refused !== undefined) return refused
    }
    const { family, config: own } = innerOf(product, config, device)
    const parsed = family.schema.safeParse(own)
    if (!parsed.success) return `this is no configuration of kernel ${family.name}`
    const refused = family.refusal(blockProduct(product, config.levels), parsed.data, device)
    return refused === undefined ? undefined : `the products of blocks: ${refused}`
  },

  candidates(product, device) {
    if (Math.min(product.rows, product.columns, product.depth) < LEAST_SIDE) return []
    return ([1, 2] as const)
      .map((levels): StrassenConfig => ({ kernel: STRASSEN, levels }))
      .filter((config) => strassen.refusal(product, config, device) === undefined)
  },

  plan(product, config, device) {
    const { levels } = config
    const blocks = blocksOf(product, levels)
    const temps = tempsOf(blocks)
    const { family, config: own } = innerOf(product, config, device)
    const made = family.plan(blockProduct(product, levels), own, device)
    const between = rewired(made, { inputs: [FACTORS.left, FACTORS.right], outputs: [PRODUCTS], firstTemp: temps.length })
    return {
      reason: `Strassen on ${levels === 1 ? 'one level' : 'two levels'}, ${blocks.products} products: ${made.reason}`,
      dispatches: [
        ...factors(product, levels, 'left'),
        ...factors(product, levels, 'right'),
        ...between.dispatches,
        ...finish(product, levels),
      ],
      temps: [...temps, ...between.temps],
    }
  },

  /** Of the products of blocks: the additions before and after are no loops of the product. */
  mappingOf(product, config, device) {
    const { family, config: own } = innerOf(product, config, device)
    return family.mappingOf(blockProduct(product, config.levels), own, device)
  },

  nest: (product, { levels }) => blockProduct(product, levels),

  accesses(product, config, device): Accesses {
    const { family, config: own } = innerOf(product, config, device)
    const blocks = blocksOf(product, config.levels)
    const { a, b, y } = family.accesses(blockProduct(product, config.levels), own, device)
    const [left, right, products] = tempsOf(blocks).map(({ shape }) => sizeOf(shape))
    return {
      a: { loads: (a?.loads ?? 0) + leftLoads(product, config.levels), stores: 0 },
      b: { loads: (b?.loads ?? 0) + rightLoads(product, config.levels), stores: 0 },
      factors: { loads: 0, stores: (left ?? 0) + (right ?? 0) },
      products: { loads: products ?? 0, stores: 0 },
      y: { loads: 0, stores: (y?.stores ?? 0) + product.rows * product.columns },
    }
  },
}

const FACTORS = { left: { kind: 'temp', index: 0 }, right: { kind: 'temp', index: 1 } } as const satisfies Record<string, TensorRef>
const PRODUCTS: TensorRef = { kind: 'temp', index: 2 }

/** Left factors, right factors, products. */
function tempsOf({ rows, columns, depth, products }: Blocks): TensorType[] {
  return [
    { dtype: 'f32', shape: [products, rows, depth] },
    { dtype: 'f32', shape: [products, depth, columns] },
    { dtype: 'f32', shape: [products, rows, columns] },
  ]
}

/** The products of blocks as one batch. */
function blockProduct(product: Product, levels: Levels): Product {
  const { rows, columns, depth, products } = blocksOf(product, levels)
  const left: TensorType = { dtype: 'f32', shape: [products, rows, depth] }
  const right: TensorType = { dtype: 'f32', shape: [products, depth, columns] }
  return {
    op: `${product.op}/strassen`,
    rows,
    columns,
    depth,
    a: { input: 0, type: left, line: depth, depth: 1 },
    b: { input: 1, type: right, line: 1, depth: columns },
    batch: [{ size: products, a: rows * depth, b: depth * columns }],
    epilogue: { alpha: 1, activation: 'none' },
    accumulate: 'f32',
    output: { dtype: 'f32', shape: [products, rows, columns] },
  }
}

/** Who runs the products of blocks: whom the configuration names, else as the rule for products does (choose.ts). */
function innerOf(
  product: Product,
  { levels, product: given }: StrassenConfig,
  device: DeviceFacts,
): { family: Family; config: Config } {
  const blocks = blockProduct(product, levels)
  if (given !== undefined) return { family: INNER[given.kernel], config: given }
  const quick = device.software
    ? broadcast.candidates(blocks, device).find(({ rows, strips }) => rows === 32 && strips === 1)
    : undefined
  return quick === undefined
    ? { family: INNER.tiled, config: tiledByRule(blocks, device) }
    : { family: INNER.broadcast, config: quick }
}

/** The dispatch that makes all factors of a side. */
function factors(product: Product, levels: Levels, side: 'left' | 'right'): DispatchPlan[] {
  const { rows, columns, depth, products } = blocksOf(product, levels)
  const [lines, quads] = side === 'left' ? [rows, depth / 4] : [depth, columns / 4]
  const stored = 4 * products * lines * quads
  return withCost(
    dispatchesOf(product, {
      ...kernelOf(`${STRASSEN}_${side}`, factorsBody, levels, { LEFT: `${side === 'left'}` }),
      stores: 'none',
      extra: [{ name: 'factors', dtype: 'f32', access: 'write', width: 4, ref: FACTORS[side] }],
      groups: () => Math.ceil((lines * quads) / LANES),
      params: { lines, quads },
    }),
    stored,
  )
}

/** The dispatch that adds the products up, with the epilogue. */
function finish(product: Product, levels: Levels): DispatchPlan[] {
  const { rows, columns, products } = blocksOf(product, levels)
  const quads = columns / 4
  return withCost(
    dispatchesOf(product, {
      ...kernelOf(`${STRASSEN}_finish`, finishBody, levels, {}),
      workgroupBytes: 16 * 4 ** levels * LANES,
      reads: false,
      extra: [{ name: 'products', dtype: 'f32', access: 'read', width: 4, ref: PRODUCTS }],
      groups: () => Math.ceil((rows * quads) / LANES),
      params: { lines: rows, quads, blocks: 4 ** levels },
    }),
    products * rows * columns,
  )
}

function kernelOf(name: string, body: string, levels: Levels, constants: Kernel['constants']): Omit<Kernel, 'groups'> {
  return {
    name,
    body: [combinations, body].join('\n'),
    constants: { INNER: 4 ** (levels - 1), ...constants },
    workgroupSize: [LANES, 1, 1],
  }
}

/** About two additions and 8 bytes for each value of the temp that is written or read. */
function withCost(dispatches: readonly DispatchPlan[], values: number): DispatchPlan[] {
  return dispatches.map((dispatch) => ({ ...dispatch, cost: { flops: 2 * values, bytes: 8 * values } }))
}

/** Elements that reading quads of A along the depth loads. */
function leftLoads(product: Product, levels: Levels): number {
  const form = readForm(product, 'a')
  const { rows, depth } = blocksOf(product, levels)
  const side = 2 ** levels
  const quads = side * side * rows * (depth / 4)
  if (form === 'along') return 4 * quads
  // One value at a time, those that there are; where they lie across, each by the quad that holds it. What lies outside reads the
  // first.
  const first = product.depth % 4 === 0 ? 4 : Math.min(4, product.depth)
  const inside = product.rows * Math.ceil(product.depth / 4)
  const values = product.rows * product.depth + (quads - inside) * first
  return values * (form === 'across' ? 4 : 1)
}

/** Elements that reading quads of B along the columns loads. */
function rightLoads(product: Product, levels: Levels): number {
  const { columns, depth } = blocksOf(product, levels)
  const quads = 4 ** levels * depth * (columns / 4)
  return quads * (readForm(product, 'b') === 'along' ? 16 : 4)
}
