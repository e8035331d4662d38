/**
 * The product in registers alone: every invocation loads the rows and columns of its own block straight from storage. Think of the
 * tiled family without the workgroup memory in between: nothing to wait for, but what neighbours load alike comes from the caches.
 */
import { z } from 'zod'
import registersBody from '../../../../shaders/gemm/registers.wgsl?raw'
import type { Mapping } from '../../../schedule/mapping.ts'
import { readForm } from '../dispatch.ts'
import type { Accesses, Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { rightAccesses } from '../sparse-side.ts'
import { tileAccesses, tileFields, tilePlan, tileRefusal, tilesOf } from './tile.ts'

const schema = z.strictObject({
  kernel: z.literal('registers'),
  ...tileFields,
  /** The least depth that is shared out, by splits or persistent workgroups. */
  tileDepth: z.literal([8, 16, 32]).default(16),
})

export type RegistersConfig = z.infer<typeof schema>

const FORMS = [
  { tileRows: 128, tileColumns: 64, rows: 8, columns: 8 },
  { tileRows: 64, tileColumns: 64, rows: 8, columns: 8 },
  { tileRows: 32, tileColumns: 64, rows: 4, columns: 8 },
  { tileRows: 32, tileColumns: 32, rows: 4, columns: 4 },
  { tileRows: 16, tileColumns: 32, rows: 4, columns: 4 },
] as const
/** Two subgroups of eight lanes, side by side: where a processor plays the GPU, loads of whole lines count. */
const SOFTWARE_FORMS = [
  { tileRows: 16, tileColumns: 64, rows: 8, columns: 8 },
  { tileRows: 16, tileColumns: 32, rows: 4, columns: 8 },
] as const

export const registers: Family<RegistersConfig> = {
  name: 'registers',
  schema,

  refusal: (product, config, device) => tileRefusal(product, config, device),

  candidates(product, device) {
    return (device.software ? SOFTWARE_FORMS : FORMS)
      .map((form) => schema.parse({ kernel: 'registers', ...form }))
      .filter(
        (config) =>
          config.tileRows < 2 * Math.max(16, product.rows) &&
          config.tileColumns < 2 * Math.max(32, product.columns) &&
          registers.refusal(product, config, device) === undefined,
      )
  },

  plan: (product, config, device) => tilePlan(product, config, device, { name: 'registers', body: registersBody, constants: {} }),

  mappingOf(product, config): Mapping {
    const { rowTiles, columnTiles, steps } = tilesOf(product, config)
    const { tileRows, tileColumns, tileDepth, rows, columns, splits } = config
    return {
      levels: [
        {
          name: 'DRAM',
          temporal: [['C', Math.ceil(steps / splits) * Math.min(tileDepth, Math.max(1, product.depth))]],
          // Invocations load for themselves, so they lie where nothing is shared.
          spatial: {
            x: [
              ['M', columnTiles * (tileColumns / columns)],
              ['C', splits],
            ],
            y: [
              ['N', slicesOf(product)],
              ['P', rowTiles * (tileRows / rows)],
            ],
          },
        },
        { name: 'GLB', temporal: [], keep: [] },
        {
          name: 'RF',
          temporal: [
            ['P', rows],
            ['M', columns],
          ],
          keep: ['weights', 'inputs', 'outputs'],
        },
      ],
    }
  },

  accesses(product, config): Accesses {
    const { rowTiles, columnTiles } = tilesOf(product, config)
    const tiles = slicesOf(product) * rowTiles * columnTiles
    const { tileRows, tileColumns, rows, columns } = config
    return {
      a: { loads: tiles * tileRows * (tileColumns / columns) * loadedDepth(product, 'a'), stores: 0 },
      ...rightAccesses(
        product,
        tiles * tileColumns * (tileRows / rows) * loadedDepth(product, 'b'),
        (tiles * tileColumns * (tileRows / rows) * Math.ceil(product.depth / 4)) / 4,
      ),
      ...tileAccesses(product, config),
    }
  },
}

/** Elements of a line that are loaded over the whole depth: whole quads where it is read along the depth. */
function loadedDepth(product: Product, side: 'a' | 'b'): number {
  return readForm(product, side) === 'along' ? 4 * Math.ceil(product.depth / 4) : product.depth
}
