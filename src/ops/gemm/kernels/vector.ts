/**
 * The product of a few rows with a matrix that is read once: bandwidth is its bound. Think of B as a sheet that lanes walk down, each
 * with its own quads of columns and its own share of the depth; shares meet at the end (shaders/gemm/vector_product.wgsl).
 *
 *     B across ([K, N])  lanes side by side over the columns     B along ([N, K])  lanes side by side over the depth
 */
import deliverPart from '../../../../shaders/gemm/vector_deliver_part.wgsl?raw'
import deliverWhole from '../../../../shaders/gemm/vector_deliver_whole.wgsl?raw'
import main from '../../../../shaders/gemm/vector_main.wgsl?raw'
import mainSubgroups from '../../../../shaders/gemm/vector_main_subgroups.wgsl?raw'
import meetAlone from '../../../../shaders/gemm/vector_meet_alone.wgsl?raw'
import meetBoth from '../../../../shaders/gemm/vector_meet_both.wgsl?raw'
import meetMemory from '../../../../shaders/gemm/vector_meet_memory.wgsl?raw'
import meetPlain from '../../../../shaders/gemm/vector_meet_plain.wgsl?raw'
import meetSubgroup from '../../../../shaders/gemm/vector_meet_subgroup.wgsl?raw'
import body from '../../../../shaders/gemm/vector_product.wgsl?raw'
import walk from '../../../../shaders/gemm/vector_walk.wgsl?raw'
import { z } from 'zod'
import { deviceByteSize, type DeviceFacts } from '../../../gpu/program.ts'
import type { Mapping } from '../../../schedule/mapping.ts'
import { dispatchesOf, readForm, type Kernel, type ReadForm } from '../dispatch.ts'
import type { Accesses, Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { rightAccesses } from '../sparse-side.ts'
import { subgroupSize } from './broadcast.ts'
import { splitAccesses, splitKernel, splitPlan, splitRefusal } from './split.ts'
import { powerOfTwo } from './workgroup.ts'

/** Rows of A that a lane keeps sums of; more would be read by other kernels better. */
export const MOST_VECTOR_ROWS = 16

const MOST_PARTS = 1024

const schema = z.strictObject({
  kernel: z.literal('vector'),
  /** Lanes over the columns of a workgroup, a quad each. */
  across: z.literal([1, 2, 4, 8, 16, 32, 64]).default(8),
  /** Lanes that share the depth of a quad. */
  along: z.literal([1, 2, 4, 8, 16, 32, 64, 128, 256]).default(8),
  /** Quads of columns that a lane owns. */
  strips: z.literal([1, 2, 4, 8]).default(1),
  /** Workgroups that share the depth; their sums meet in a second dispatch (split.ts). */
  parts: z.int().min(1).max(MOST_PARTS).default(1),
  /** Whether shares meet in subgroups first. */
  subgroups: z.boolean().default(false),
})

export type VectorConfig = z.infer<typeof schema>

/** Workgroup memory that any device has. */
const LEAST_WORKGROUP_BYTES = 16384
const QUAD_BYTES = 16

interface Layout {
  /** Constant of the kernel: rows, rounded up to a power of two. */
  readonly rows: number
  readonly lanes: number
  readonly columnTiles: number
  /** Steps of depth of one part, a multiple of 4. */
  readonly partDepth: number
  /** Rows whose sums meet at a time. */
  readonly meetRows: number
  /** Distance between lanes that share a quad's depth, and between lanes of neighbouring quads. */
  readonly alongStep: number
  readonly acrossStep: number
}

function layoutOf(product: Product, { across, along, strips, parts }: VectorConfig): Layout {
  const rows = powerOfTwo(product.rows)
  const lanes = across * along
  const inMemory = Math.floor(Math.min(4, LEAST_WORKGROUP_BYTES / (QUAD_BYTES * lanes)) / strips)
  // Lanes lie side by side along what is contiguous in B.
  const deep = product.b.depth === 1 && product.b.line !== 1
  return {
    rows,
    lanes,
    columnTiles: Math.ceil(product.columns / (4 * across * strips)),
    partDepth: 4 * Math.ceil(Math.ceil(product.depth / 4) / parts),
    meetRows: along === 1 ? 1 : Math.max(1, Math.min(rows, inMemory)),
    alongStep: deep ? 1 : across,
    acrossStep: deep ? along : 1,
  }
}

/** How the shares of a quad's depth meet. */
function meeting(
  layout: Layout,
  { along, subgroups }: VectorConfig,
  device: DeviceFacts,
): 'alone' | 'subgroup' | 'both' | 'memory' {
  if (along === 1) return 'alone'
  if (!subgroups) return 'memory'
  return layout.alongStep * along <= (device.subgroups?.min ?? 1) ? 'subgroup' : 'both'
}

const MEET = {
  alone: [meetAlone],
  subgroup: [meetSubgroup],
  both: [meetMemory, meetBoth],
  memory: [meetMemory, meetPlain],
} as const

/** Elements that reading all of a line's depth, four steps at a time (left_along), or of a quad of lines (right_block) loads. */
export function loadsOf(form: ReadForm, depth: number, lines: 1 | 4): number {
  if (form === 'along') return lines * 4 * Math.ceil(depth / 4)
  return (form === 'across' ? 4 : lines) * depth
}

export const vector: Family<VectorConfig> = {
  name: 'vector',
  schema,

  refusal(product, config, device) {
    const { across, along, subgroups } = config
    if (product.rows > MOST_VECTOR_ROWS) return `${product.rows} rows, at most ${MOST_VECTOR_ROWS}`
    const { maxComputeInvocationsPerWorkgroup: limit } = device.limits
    if (across * along > limit) return `${across * along} invocations, maxComputeInvocationsPerWorkgroup ${limit}`
    if (subgroups && device.subgroups === undefined) return 'the device has no subgroups'
    if (subgroups && device.subgroups?.linear === false) return 'lanes of the subgroups of the device are not in order'
    const { maxComputeWorkgroupStorageSize: memory } = device.limits
    const bytes = workgroupBytes(product, config, device)
    if (bytes > memory) return `${bytes} bytes of workgroup memory, maxComputeWorkgroupStorageSize ${memory}`
    return splitRefusal(product, config.parts, Math.ceil(product.depth / 4), device)
  },

  candidates(product, device) {
    if (product.rows > MOST_VECTOR_ROWS) return []
    return (device.software ? softwareConfigs(product, device) : gpuConfigs(product, device)).filter(
      (config) => vector.refusal(product, config, device) === undefined,
    )
  },

  plan(product, config, device) {
    const layout = layoutOf(product, config)
    const { rows, lanes, columnTiles, partDepth, meetRows, alongStep, acrossStep } = layout
    const { across, along, strips, parts } = config
    const met = meeting(layout, config, device)
    const inSubgroups = met === 'subgroup' || met === 'both'
    const { params, ...partial } = parts > 1 ? splitKernel(product, parts) : { params: {} }
    const kernel: Kernel = {
      name: 'vector',
      body: [...MEET[met], parts > 1 ? deliverPart : deliverWhole, body, walk, inSubgroups ? mainSubgroups : main].join('\n'),
      constants: {
        ROWS: rows,
        STRIPS: strips,
        ACROSS: across,
        ALONG: along,
        ACROSS_STEP: acrossStep,
        ALONG_STEP: alongStep,
        MEET_ROWS: meetRows,
      },
      workgroupSize: [lanes, 1, 1],
      workgroupBytes: workgroupBytes(product, config, device),
      ...(inSubgroups ? { requires: ['subgroups'] as const } : {}),
      groups: (slices) => slices * parts * columnTiles,
      params: { ...params, row_tiles: 1, column_tiles: columnTiles, parts, part_depth: partDepth, meet: meetRows * strips },
      ...partial,
    }
    const reason = `vector: ${across} lanes over ${4 * across * strips} columns, ${along} over the depth`
    return parts > 1 ? splitPlan(product, parts, kernel, reason) : { reason, dispatches: dispatchesOf(product, kernel), temps: [] }
  },

  mappingOf(product, config): Mapping {
    const { rows, columnTiles, partDepth } = layoutOf(product, config)
    const { across, along, strips, parts } = config
    const quads = Math.max(1, partDepth / 4)
    return {
      levels: [
        {
          name: 'DRAM',
          temporal: [],
          // Lanes load for themselves, so those over the columns lie where nothing is shared.
          spatial: {
            x: [
              ['M', columnTiles * across],
              ['C', parts],
            ],
            y: [['N', slicesOf(product)]],
          },
        },
        // Shares of the depth meet through the network of the workgroup.
        {
          name: 'GLB',
          temporal: [['C', Math.ceil(quads / along)]],
          spatial: { y: [['C', along]] },
          keep: [],
        },
        {
          name: 'RF',
          temporal: [
            ['C', Math.min(4, Math.max(1, product.depth))],
            ['P', rows],
            ['M', 4 * strips],
          ],
          keep: ['outputs', 'weights', 'inputs'],
        },
      ],
    }
  },

  accesses(product, config): Accesses {
    const { rows, columnTiles } = layoutOf(product, config)
    const { across, strips, parts } = config
    const slices = slicesOf(product)
    const columns = slices * columnTiles * across
    const lines = slices * product.rows
    const counted = {
      a: { loads: columns * rows * loadsOf(readForm(product, 'a'), product.depth, 1), stores: 0 },
      ...rightAccesses(
        product,
        columns * strips * loadsOf(readForm(product, 'b'), product.depth, 4),
        columns * strips * Math.ceil(product.depth / 4),
      ),
      y: { loads: 0, stores: lines * product.columns },
    }
    return parts === 1 ? counted : { ...counted, ...splitAccesses(product, parts) }
  },
}

/** Bytes of the shares that meet in workgroup memory. */
function workgroupBytes(product: Product, config: VectorConfig, device: DeviceFacts): number {
  const layout = layoutOf(product, config)
  const met = meeting(layout, config, device)
  return met === 'memory' || met === 'both' ? layout.lanes * layout.meetRows * config.strips * QUAD_BYTES : 0
}

/** Steps of depth of a part where B lies across: so many rows of it stay in the caches of addresses while its columns are walked. */
const SOFTWARE_PART = 32
/** The same where sums of many rows are kept: parts are stored and loaded again, rows times as much. */
const SOFTWARE_PART_OF_MANY = 256
const MANY_ROWS = 16
/** Bytes from row to row of B, below which rows share pages. */
const NEAR_ROWS = 4096

/**
 * Where a CPU plays the GPU: memory walked in order is what counts, and a uniform load of A costs next to nothing. B across: lanes have
 * the depth to themselves, in parts so short that walking their rows side by side touches few pages. B along: few rows are read by a
 * subgroup along the depth; for more, loads of A would outweigh those of B, and every lane has its own columns.
 */
function softwareConfigs(product: Product, device: DeviceFacts): VectorConfig[] {
  const rows = powerOfTwo(product.rows)
  const alone = { kernel: 'vector', across: 8, along: 1, strips: 1, parts: 1, subgroups: false } as const
  if (layoutOf(product, alone).alongStep === 1) {
    const lanes = device.subgroups?.linear === true && device.subgroups.min === 8 ? 8 : 1
    const together = { ...alone, across: 1, along: lanes, subgroups: true } as const
    if (lanes === 1) return [alone]
    return rows <= 4 ? [together, alone] : [alone, together]
  }
  const step = rows >= MANY_ROWS ? SOFTWARE_PART_OF_MANY : SOFTWARE_PART
  const parts = isFar(product) ? Math.min(MOST_PARTS, Math.max(1, Math.ceil(product.depth / step))) : 1
  const narrow = { ...alone, parts } as const
  const wide = { ...narrow, strips: rows <= 2 ? 4 : 2 } as const
  const whole = parts === 1 ? [] : [{ ...wide, parts: 1 } as const]
  return rows >= MANY_ROWS ? [narrow, wide, ...whole] : [wide, narrow, ...whole]
}

/** Whether rows of B, lying across, are pages apart. */
function isFar({ b }: Product): boolean {
  return b.depth * deviceByteSize(b.type.dtype) >= NEAR_ROWS
}

/** Rows that broadcasting values of A serves better in software, where B is walked in order by itself. */
const SHARED_ROWS = 3

/**
 * The configuration by rule; undefined where another family is the better one: for more than 16 rows, and in software with subgroups
 * (where loads cost what arithmetic does) for 3 rows and more, unless rows of B lie pages apart.
 */
export function vectorByRule(product: Product, device: DeviceFacts): VectorConfig | undefined {
  const [first] = vector.candidates(product, device)
  if (!device.software || subgroupSize(device) === undefined || product.rows < SHARED_ROWS) return first
  if (product.rows > MOST_SOFTWARE_ROWS) return undefined
  return layoutOf(product, schema.parse({ kernel: 'vector' })).alongStep !== 1 && isFar(product) ? first : undefined
}

/** With more rows, broadcasting is as fast in one kernel, which compiles in half the time of two. */
const MOST_SOFTWARE_ROWS = 8

/** Invocations of a workgroup: half a dozen of them fill a multiprocessor. */
const GPU_LANES = 256
/** Workgroups that keep enough loads under way on a large GPU (132 multiprocessors, two or more each). */
const ENOUGH_GROUPS = 256
/** Bytes side by side that a load of a subgroup should cover: a line of the cache. */
const LINE_BYTES = 128
const MOST_CANDIDATES = 12

/**
 * Where memory is what costs: loads of whole lines, enough workgroups to have them under way, in one dispatch if possible. A second
 * dispatch takes as long as reading some 10 MB, so parts come only when columns do not give enough workgroups.
 */
function gpuConfigs(product: Product, device: DeviceFacts): VectorConfig[] {
  const quads = Math.ceil(product.depth / 4)
  const most = Math.min(GPU_LANES, 2 ** Math.floor(Math.log2(device.limits.maxComputeInvocationsPerWorkgroup)))
  const subgroups = device.subgroups?.linear === true
  const deep = layoutOf(product, schema.parse({ kernel: 'vector' })).alongStep === 1
  const line = LINE_BYTES / (4 * deviceByteSize(product.b.type.dtype))
  const make = (across: number, strips: number, split: boolean): VectorConfig => {
    const along = Math.min(most / across, powerOfTwo(quads))
    const groups = slicesOf(product) * Math.ceil(product.columns / (4 * across * strips))
    // Every lane of a part has at least two quads of depth.
    const parts = Math.min(powerOfTwo(ENOUGH_GROUPS / groups), Math.floor(quads / (2 * along)), MOST_PARTS)
    return schema.parse({ kernel: 'vector', across, along, strips, parts: split ? Math.max(1, parts) : 1, subgroups })
  }
  // The widest that gives enough workgroups comes first; across needs half a line at least.
  const [least, widest] = deep ? [1, 4] : [line / 2, 4 * line]
  let best = widest
  while (best > least && make(best, 1, false).parts * groupsOf(product, make(best, 1, false)) < ENOUGH_GROUPS) best /= 2
  const others = [best, best / 2, best * 2, best * 4].filter((across) => across >= 1 && across <= Math.min(64, most))
  const configs = [true, false].flatMap((split) => {
    const strips = product.rows <= 4 ? [1, 2] : [1]
    return others.flatMap((across) => strips.map((count) => make(across, count, split)))
  })
  const distinct = new Map(configs.map((config) => [JSON.stringify(config), config]))
  return [...distinct.values()].slice(0, MOST_CANDIDATES)
}

function groupsOf(product: Product, config: VectorConfig): number {
  return slicesOf(product) * config.parts * layoutOf(product, config).columnTiles
}
