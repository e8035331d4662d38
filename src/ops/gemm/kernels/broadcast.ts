/**
 * The subgroup-broadcast product: no workgroup memory, values of A handed between lanes. The fastest form where loads are the bound and
 * workgroup memory is no faster than the rest, as on software adapters; a candidate on any device whose subgroups have one size.
 */
import { z } from 'zod'
import body from '../../../../shaders/gemm/broadcast.wgsl?raw'
import type { DeviceFacts } from '../../../gpu/program.ts'
import type { Loop, Mapping } from '../../../schedule/mapping.ts'
import { dispatchesOf, readForm } from '../dispatch.ts'
import type { Accesses, Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { rightAccesses } from '../sparse-side.ts'

const schema = z.strictObject({
  kernel: z.literal('broadcast'),
  /** Rows that a subgroup owns. */
  rows: z.union([z.literal(4), z.literal(8), z.literal(16), z.literal(32)]).default(16),
  /** Quads of columns that a lane owns. */
  strips: z.union([z.literal(1), z.literal(2)]).default(1),
  /** Subgroups of a workgroup, side by side along the columns. */
  subgroups: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8)]).default(1),
  /** Sums go to the epilogue through workgroup memory: a short kernel, which compiles fast where compiling is slow. */
  staged: z.boolean().default(false),
})

export type BroadcastConfig = z.infer<typeof schema>

/** Lanes of a subgroup, where that is known before a shader runs. */
export function subgroupSize({ subgroups }: DeviceFacts): number | undefined {
  return subgroups !== undefined && subgroups.linear && subgroups.min === subgroups.max ? subgroups.min : undefined
}

interface Tiles {
  readonly size: number
  readonly rowTiles: number
  readonly columnTiles: number
}

function tilesOf({ rows, columns }: Product, config: BroadcastConfig, device: DeviceFacts): Tiles {
  const size = subgroupSize(device) ?? 1
  return {
    size,
    rowTiles: Math.ceil(rows / config.rows),
    columnTiles: Math.ceil(columns / (4 * size * config.strips * config.subgroups)),
  }
}

export const broadcast: Family<BroadcastConfig> = {
  name: 'broadcast',
  schema,

  refusal(_product, { rows, strips, subgroups, staged }, device) {
    const size = subgroupSize(device)
    if (device.subgroups === undefined) return 'the device has no subgroups'
    if (size === undefined) return 'the subgroups of the device have no one size, or their lanes are not in order'
    if (rows % size !== 0 && size % rows !== 0) return `${rows} rows and subgroups of ${size} do not divide each other`
    const { maxComputeInvocationsPerWorkgroup: limit } = device.limits
    if (size * subgroups > limit) return `${size * subgroups} invocations, maxComputeInvocationsPerWorkgroup ${limit}`
    const { maxComputeWorkgroupStorageSize: most } = device.limits
    const bytes = staged ? 16 * rows * strips * size * subgroups : 0
    if (bytes > most) return `${bytes} bytes of workgroup memory, maxComputeWorkgroupStorageSize ${most}`
    return undefined
  },

  candidates(product, device) {
    const configs: BroadcastConfig[] = []
    for (const rows of [8, 16, 32] as const) {
      if (rows > 8 && rows >= 2 * product.rows) continue
      for (const strips of [1, 2] as const) {
        const config: BroadcastConfig = {
          kernel: 'broadcast',
          rows,
          strips,
          subgroups: device.software ? 1 : 4,
          staged: device.software,
        }
        if (broadcast.refusal(product, config, device) === undefined) configs.push(config)
      }
    }
    return configs
  },

  plan(product, config, device) {
    const { size, rowTiles, columnTiles } = tilesOf(product, config, device)
    return {
      reason: `subgroup broadcast: ${config.rows} rows by ${4 * size * config.strips} columns a subgroup of ${size}`,
      dispatches: dispatchesOf(product, {
        name: 'broadcast',
        body,
        constants: {
          SIZE: size,
          ROWS: config.rows,
          STRIPS: config.strips,
          SPAN: Math.max(1, size / config.rows),
          PARTS: Math.max(1, config.rows / size),
          STAGED: `${config.staged}`,
        },
        workgroupBytes: config.staged ? 16 * config.rows * config.strips * size * config.subgroups : 16,
        workgroupSize: [size * config.subgroups, 1, 1],
        requires: ['subgroups'],
        groups: (slices) => slices * rowTiles * columnTiles,
        params: { row_tiles: rowTiles, column_tiles: columnTiles, stored: config.rows * config.strips },
      }),
      temps: [],
    }
  },

  mappingOf(product, config, device): Mapping {
    const { size, rowTiles, columnTiles } = tilesOf(product, config, device)
    const lanes: Loop[] = [['M', size * config.subgroups]]
    return {
      levels: [
        {
          name: 'DRAM',
          temporal: [],
          spatial: {
            x: [['M', columnTiles]],
            y: [
              ['N', slicesOf(product)],
              ['P', rowTiles],
            ],
          },
        },
        // Nothing is kept: a value of A goes from memory to all lanes at once, through the network of the subgroup.
        { name: 'GLB', temporal: [['C', Math.max(1, product.depth)]], spatial: { x: lanes }, keep: [] },
        {
          name: 'RF',
          temporal: [
            ['P', config.rows],
            ['M', 4 * config.strips],
          ],
          keep: ['outputs', 'weights', 'inputs'],
        },
      ],
    }
  },

  accesses(product, config, device): Accesses {
    const { size, rowTiles, columnTiles } = tilesOf(product, config, device)
    const subgroups = slicesOf(product) * rowTiles * columnTiles * config.subgroups
    const quads = Math.ceil(product.depth / 4)
    const span = Math.max(1, size / config.rows)
    const lanes = Math.max(size, config.rows)
    const forms = { a: readForm(product, 'a'), b: readForm(product, 'b') }
    // Every lane loads, also beyond the last row. Past the depth it does so only of A, where depths are whole quads and need no check.
    const whole = product.depth % 4 === 0
    const depth = whole ? 4 * span * Math.ceil(quads / span) : forms.a === 'along' ? 4 * quads : product.depth
    return {
      // One value at a time still takes a vector of rows where those lie side by side.
      a: { loads: subgroups * (lanes / span) * depth * (forms.a === 'across' ? 4 : 1), stores: 0 },
      ...rightAccesses(
        product,
        subgroups * size * config.strips * 4 * (forms.b === 'along' ? 4 * quads : product.depth),
        subgroups * size * config.strips * quads,
      ),
      y: { loads: 0, stores: slicesOf(product) * product.rows * product.columns },
    }
  },
}
