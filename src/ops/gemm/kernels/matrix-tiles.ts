/**
 * Tiles of products by matrix units, for halves (matrix.ts) and bytes (matrix-integer.ts) alike. Think of a fragment as one huge
 * register that all lanes of a subgroup hold together: a unit multiplies M×K by K×N fragments into M×N sums.
 *
 *     workgroup  = subgroupRows × subgroupColumns subgroups
 *     subgroup   = rows × columns fragments of M×N sums
 *     a stage    = steps × K of depth, of all lines of the workgroup, in workgroup memory; `buffers` stages
 */
import { z } from 'zod'
import type { DeviceFacts, MatrixUnit, Requirement } from '../../../gpu/program.ts'
import type { Mapping } from '../../../schedule/mapping.ts'

const power = z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8)])

/** Fields of a configuration. */
export const tileFields = {
  /** Which of the device's units, as `16x16x16` (M, N, K); absent: the first that fits. */
  unit: z.string().optional(),
  /** Fragments of a subgroup. */
  rows: power.default(2),
  columns: power.default(2),
  /** Subgroups of a workgroup. */
  subgroupRows: power.default(2),
  subgroupColumns: power.default(2),
  /** Steps of the unit's K that a stage holds. */
  steps: power.default(2),
  /** Stages in workgroup memory: with 2, one is filled while the other is multiplied. */
  buffers: z.union([z.literal(1), z.literal(2)]).default(2),
}

export interface TileConfig {
  readonly unit?: string | undefined
  readonly rows: number
  readonly columns: number
  readonly subgroupRows: number
  readonly subgroupColumns: number
  readonly steps: number
  readonly buffers: number
}

/** What a kernel multiplies: f16 into f32 or f16, i8 into i32. */
export interface Arithmetic {
  readonly component: string
  readonly result: string
  /** Bytes of four values in workgroup memory. */
  readonly quadBytes: number
  /** Bytes of a sum. */
  readonly sumBytes: number
}

/** Bytes by which lines in workgroup memory are padded: as many as matrix units load at once. */
const PAD_BYTES = 16

export function unitName({ M, N, K }: MatrixUnit): string {
  return `${M}x${N}x${K}`
}

/** Units of a device that do this arithmetic and whose fragments are whole quads, the largest first. */
export function unitsOf({ matrices = [] }: Pick<DeviceFacts, 'matrices'>, { component, result }: Arithmetic): MatrixUnit[] {
  return matrices
    .filter((unit) => unit.component === component && unit.result === result)
    .filter(({ M, N, K }) => [M, N, K].every((extent) => extent > 0 && extent % 4 === 0))
    .toSorted((a, b) => b.M * b.N * b.K - a.M * a.N * a.K)
}

/** The unit that a configuration names, or the largest. */
export function unitFor(config: Pick<TileConfig, 'unit'>, device: DeviceFacts, arithmetic: Arithmetic): MatrixUnit | undefined {
  return unitsOf(device, arithmetic).find((unit) => config.unit === undefined || config.unit === unitName(unit))
}

/** Lanes of a subgroup, where all subgroups of the device have as many. In which order they lie does not matter here. */
export function laneCount({ subgroups }: Pick<DeviceFacts, 'subgroups'>): number | undefined {
  return subgroups !== undefined && subgroups.min === subgroups.max ? subgroups.min : undefined
}

/** Sizes that follow from a configuration. */
export interface Tiles {
  readonly unit: MatrixUnit
  /** Lanes of a subgroup, subgroups of a workgroup, lanes of a workgroup. */
  readonly size: number
  readonly subgroups: number
  readonly lanes: number
  /** Sums of a subgroup. */
  readonly ownRows: number
  readonly ownColumns: number
  /** Sums of a workgroup, and the depth of a stage. */
  readonly rows: number
  readonly columns: number
  readonly depth: number
  /** Quads that pad a line. */
  readonly pad: number
}

export function tilesFor(config: TileConfig, unit: MatrixUnit, size: number, { quadBytes }: Arithmetic): Tiles {
  const subgroups = config.subgroupRows * config.subgroupColumns
  const [ownRows, ownColumns] = [config.rows * unit.M, config.columns * unit.N]
  return {
    unit,
    size,
    subgroups,
    lanes: subgroups * size,
    ownRows,
    ownColumns,
    rows: config.subgroupRows * ownRows,
    columns: config.subgroupColumns * ownColumns,
    depth: config.steps * unit.K,
    pad: PAD_BYTES / quadBytes,
  }
}

/** Bytes of `count` lines of four-value quads in workgroup memory, padded. */
export function linesBytes({ pad }: Tiles, { quadBytes }: Arithmetic, count: number, values: number): number {
  return count * (values / 4 + pad) * quadBytes
}

/** Bytes of workgroup memory that sums pass through: one fragment of each subgroup. */
export function sumsBytes({ subgroups, unit }: Tiles, { sumBytes }: Arithmetic): number {
  return subgroups * unit.M * unit.N * sumBytes
}

export const MATRIX_FEATURES: readonly Requirement[] = ['subgroups', 'chromium-experimental-subgroup-matrix']

/** Why a device has no tiles of this configuration at all: feature, unit, subgroups, invocations. */
export function tilesRefusal(config: TileConfig, device: DeviceFacts, arithmetic: Arithmetic): string | undefined {
  const { component, result } = arithmetic
  const missing = MATRIX_FEATURES.find((feature) => !device.features.has(feature))
  if (missing !== undefined) return `feature ${missing} is missing`
  if (!device.language.has('subgroup_id')) return 'feature subgroup_id of WGSL is missing'
  const size = laneCount(device)
  if (size === undefined) {
    const { min, max } = device.subgroups ?? { min: 0, max: 0 }
    return `matrix units need subgroups of one size, and the device's have ${min} to ${max} lanes`
  }
  const unit = unitFor(config, device, arithmetic)
  if (unit === undefined) {
    const listed = unitsOf(device, arithmetic).map(unitName)
    const kind = `${component} into ${result}`
    if (listed.length === 0) return `the device lists no matrix unit that multiplies ${kind} in whole quads`
    return `the device lists no matrix unit ${config.unit} of ${kind}, but ${listed.join(', ')}`
  }
  const { lanes } = tilesFor(config, unit, size, arithmetic)
  const { maxComputeInvocationsPerWorkgroup: limit } = device.limits
  return lanes > limit ? `${lanes} invocations, maxComputeInvocationsPerWorkgroup ${limit}` : undefined
}

/** Why workgroup memory does not hold `bytes`. */
export function memoryRefusal(bytes: number, { limits }: Pick<DeviceFacts, 'limits'>): string | undefined {
  const { maxComputeWorkgroupStorageSize: limit } = limits
  return bytes > limit ? `${bytes} bytes of workgroup memory, maxComputeWorkgroupStorageSize ${limit}` : undefined
}

/** Constants of shaders/gemm/matrix/tiles.wgsl. */
export function tileConstants(config: TileConfig, { unit }: Tiles): Record<string, number> {
  return {
    UNIT_M: unit.M,
    UNIT_N: unit.N,
    UNIT_K: unit.K,
    ROWS: config.rows,
    COLUMNS: config.columns,
    FRAGMENTS: config.rows * config.columns,
    SUBGROUP_ROWS: config.subgroupRows,
    SUBGROUP_COLUMNS: config.subgroupColumns,
    BAND,
  }
}

/** Rows of tiles that are worked on together (tile_of in tiles.wgsl). */
const BAND = 8

/** Sums that a lane may hold in registers, in words: more spill on the GPUs there are, and compile for seconds on software adapters. */
const MOST_SUMS = 128
const MOST_SUMS_SOFTWARE = 32
/** Workgroups from which a grid fills a large machine. */
const FILLED = 128
/** Rounds of a part of the depth, at least: with fewer, partial sums cost more than the part. */
const LEAST_ROUNDS = 8

/** What a subgroup and a workgroup may own, in sums; the depth of a stage, in bytes of a line. */
const SHAPES: readonly { readonly own: readonly [number, number]; readonly subgroups: readonly [1 | 2 | 4, 1 | 2 | 4] }[] = [
  { own: [64, 64], subgroups: [2, 2] },
  { own: [64, 32], subgroups: [2, 4] },
  { own: [32, 64], subgroups: [2, 2] },
  { own: [32, 32], subgroups: [2, 2] },
  { own: [16, 32], subgroups: [1, 4] },
  { own: [16, 16], subgroups: [2, 2] },
  { own: [32, 32], subgroups: [1, 1] },
]
const STAGE_BYTES = 64

/** Configurations of the largest unit, and of each other one. */
const MOST_OF_LARGEST = 6
const MOST_OF_OTHERS = 2

type Power = z.infer<typeof power>

export interface TileCandidate extends z.infer<z.ZodObject<typeof tileFields>> {
  readonly splits: number
}

function asPower(value: number): Power | undefined {
  return ([1, 2, 4, 8] as const).find((known) => known === value)
}

/**
 * Configurations worth measuring for rows × columns sums in `slices` slices, the best by rule first: of the largest unit, the tile that
 * moves the fewest bytes for its products and whose grid fills a machine, or the one with the most workgroups.
 * @param mostSplits parts that the depth may be cut into where the grid does not fill a machine
 */
export function tileCandidates(
  {
    rows,
    columns,
    depth,
    slices,
  }: { readonly rows: number; readonly columns: number; readonly depth: number; readonly slices: number },
  device: DeviceFacts,
  arithmetic: Arithmetic,
  mostSplits = 1,
): TileCandidate[] {
  const size = laneCount(device)
  if (size === undefined) return []
  return unitsOf(device, arithmetic).flatMap((unit, index) => {
    const ranked = SHAPES.flatMap(({ own, subgroups: [subgroupRows, subgroupColumns] }) => {
      const [down, across] = [asPower(own[0] / unit.M), asPower(own[1] / unit.N)]
      const steps = asPower(Math.max(1, STAGE_BYTES / (arithmetic.quadBytes / 4) / unit.K))
      if (down === undefined || across === undefined || steps === undefined) return []
      if ((own[0] * own[1]) / size > (device.software ? MOST_SUMS_SOFTWARE : MOST_SUMS)) return []
      const [tileRows, tileColumns] = [own[0] * subgroupRows, own[1] * subgroupColumns]
      const isWaste = (tileRows > 32 && tileRows >= 2 * rows) || (tileColumns > 32 && tileColumns >= 2 * columns)
      if (isWaste) return []
      const groups = slices * Math.ceil(rows / tileRows) * Math.ceil(columns / tileColumns)
      const rounds = Math.ceil(depth / (steps * unit.K))
      const splits = Math.max(1, Math.min(mostSplits, Math.floor(rounds / LEAST_ROUNDS), Math.floor(FILLED / groups)))
      const tiles = { unit: unitName(unit), rows: down, columns: across, subgroupRows, subgroupColumns, steps, buffers: 2 as const }
      // Products for each byte moved, of a value of the result: of lines that are loaded, of partial sums stored and loaded.
      const scoreOf = (parts: number): number => {
        const lines = (arithmetic.quadBytes / 4) * (1 / tileRows + 1 / tileColumns)
        const partials = parts === 1 ? 0 : (2 * arithmetic.sumBytes * parts) / Math.max(1, depth)
        return groups * parts >= FILLED ? FILLED + 1 / (lines + partials) : groups * parts
      }
      const parts = splits > 1 ? [1, splits] : [1]
      return parts.map((count) => ({ config: { ...tiles, splits: count }, score: scoreOf(count) }))
    })
    const most = index === 0 ? MOST_OF_LARGEST : MOST_OF_OTHERS
    return ranked
      .toSorted((a, b) => b.score - a.score)
      .slice(0, most)
      .map(({ config }) => config)
  })
}

/** How a fragment of M×N sums lies over the lanes of a subgroup, as far as a mapping can say it: lanes along N, then along M. */
export function lanesOf({ unit, size }: Tiles): { readonly down: number; readonly across: number } {
  const across = Math.min(size, unit.N)
  return { across, down: Math.min(unit.M, Math.max(1, size / across)) }
}

/**
 * The loop nest as a mapping. Staged: a stage of both sides lies in GLB. Direct: nothing does, and each subgroup reads for itself, as
 * a child of the grid.
 */
export function tileMapping(
  tiles: Tiles,
  config: TileConfig,
  counts: {
    readonly slices: number
    readonly rowTiles: number
    readonly columnTiles: number
    readonly depth: number
    readonly splits: number
  },
  isDirect: boolean,
): Mapping {
  const { down, across } = lanesOf(tiles)
  const [gridRows, gridColumns] = isDirect ? [config.subgroupRows, config.subgroupColumns] : [1, 1]
  const [groupRows, groupColumns] = isDirect ? [1, 1] : [config.subgroupRows, config.subgroupColumns]
  const stage = isDirect ? 1 : tiles.depth
  return {
    levels: [
      {
        name: 'DRAM',
        temporal: [['C', Math.max(1, Math.ceil(counts.depth / stage / counts.splits))]],
        spatial: {
          x: [
            ['M', counts.columnTiles * gridColumns],
            ['C', counts.splits],
          ],
          y: [
            ['N', counts.slices],
            ['P', counts.rowTiles * gridRows],
          ],
        },
      },
      {
        name: 'GLB',
        temporal: [['C', stage]],
        spatial: { x: [['M', groupColumns * across]], y: [['P', groupRows * down]] },
        keep: isDirect ? [] : ['inputs', 'weights'],
      },
      {
        name: 'RF',
        temporal: [
          ['P', tiles.ownRows / down],
          ['M', tiles.ownColumns / across],
        ],
        keep: ['outputs', 'weights', 'inputs'],
      },
    ],
  }
}
