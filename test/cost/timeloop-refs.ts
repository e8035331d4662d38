/**
 * The published runs of Timeloop's exercises as problem, hardware and mapping. Mappings come from the printed loop nest, which all
 * of them have: a level's line names what it keeps and its tile sizes; the loops under a rule belong to the last level above it.
 */
import { readProblem, type ReadProblem } from '../../src/formats/timeloop/problem.ts'
import { readYaml } from '../../src/formats/yaml/read.ts'
import type { Hardware, StorageLevel } from '../../src/schedule/hardware.ts'
import type { Loop, Mapping, MappingLevel } from '../../src/schedule/mapping.ts'
import { OPERANDS, type Operand } from '../../src/schedule/problem.ts'
import { z } from 'zod'

const access = z.object({ reads_total: z.number(), fills_total: z.number(), updates_total: z.number(), tile_size: z.number() })
const level = z.object({
  level: z.string(),
  Instances: z.string(),
  Cycles: z.number(),
  Size: z.union([z.number(), z.string()]).optional(),
  'Word bits': z.number(),
  'Computes (total)': z.number().optional(),
  access: z.record(z.string(), access).optional(),
})
export const reference = z.object({
  id: z.string(),
  sparse: z.boolean(),
  workload: z.object({
    shape_name: z.string(),
    instance: z.unknown(),
    dimensions: z.unknown(),
    data_spaces: z.unknown(),
    coefficients: z.unknown(),
  }),
  mapping_given: z.array(z.unknown()),
  mapping_loopnest: z.string(),
  summary: z.object({ Cycles: z.string(), Utilization: z.string() }),
})
export const denseReference = reference.extend({ levels: z.array(level) })
export type Reference = z.infer<typeof denseReference>

/** Of a run with zeros: most print, for each level and operand, only how many addresses were made and sums read back. */
const sparseAccess = access.partial().extend({
  utilized_instances: z.number(),
  address_generations_per_cluster: z.number(),
  temporal_reductions_per_inst: z.number(),
})
export const sparseReference = reference.extend({
  levels: z.array(
    level.extend({
      'Word bits': z.number().optional(),
      'Utilized instances': z.number().optional(),
      access: z.record(z.string(), sparseAccess).optional(),
    }),
  ),
})
export type SparseReference = z.infer<typeof sparseReference>

/** What a hardware follows from. */
interface Printed {
  readonly id: string
  readonly levels: readonly PrintedLevel[]
}
type PrintedLevel = Pick<z.infer<typeof level>, 'level' | 'Instances' | 'Size'>

/** The problem of a run, through the reader of Timeloop's YAML (JSON is YAML). */
export function problemOf({ id, workload }: Pick<Reference, 'id' | 'workload'>): ReadProblem {
  const { shape_name: name, instance, ...shape } = workload
  return readProblem(readYaml(id, JSON.stringify({ shape: { name, ...shape }, instance })))
}

interface NestLevel {
  readonly name: string
  /** Words of each operand kept. */
  readonly tiles: Partial<Record<Operand, number>>
  /** The same as stored, in a format perhaps. */
  readonly stored: Partial<Record<Operand, number>>
  readonly loops: { readonly dimension: string; readonly bound: number; readonly axis: 'X' | 'Y' | undefined }[]
}

export function parseNest(text: string, operands: ReadonlyMap<string, Operand>): NestLevel[] {
  const levels: NestLevel[] = []
  for (const line of text.split('\n')) {
    const head = /^(\w+) \[ (.*)\] *$/.exec(line)
    if (head !== null) {
      const tiles: Partial<Record<Operand, number>> = {}
      const stored: Partial<Record<Operand, number>> = {}
      for (const [, name = '', words, kept] of (head[2] ?? '').matchAll(/(\w+):(\d+) \((\d+)\)/g)) {
        const operand = operands.get(name)
        if (operand === undefined) throw new Error(`no data space ${name}: ${line}`)
        tiles[operand] = Number(words)
        stored[operand] = Number(kept)
      }
      levels.push({ name: head[1] ?? '', tiles, stored, loops: [] })
      continue
    }
    const loop = /^\| *for (\w+) in \[0:(\d+)\)(?: \(Spatial-([XY])\))?$/.exec(line)
    if (loop !== null) {
      const [, dimension = '', bound, axis] = loop
      levels.at(-1)?.loops.push({ dimension, bound: Number(bound), axis: axis === 'X' || axis === 'Y' ? axis : undefined })
    } else if (!/^-*$/.test(line) && !/^\| *<< Compute >>$/.test(line)) throw new Error(`what is this line: ${line}`)
  }
  return levels
}

/** The mapping that a printed nest is. */
export function mappingOf(nest: readonly NestLevel[], { dimensions }: ReadProblem): Mapping {
  return {
    levels: nest.map(({ name, tiles, loops }): MappingLevel => {
      const along = (axis: 'X' | 'Y' | undefined): Loop[] =>
        loops
          .filter((loop) => loop.axis === axis)
          .map(({ dimension, bound }) => {
            const ours = dimensions.get(dimension)
            if (ours === undefined) throw new Error(`no dimension ${dimension}`)
            return [ours, bound]
          })
      const [x, y] = [along('X'), along('Y')]
      return {
        name,
        temporal: along(undefined),
        ...(x.length + y.length > 0 ? { spatial: { x, y } } : {}),
        keep: OPERANDS.filter((operand) => tiles[operand] !== undefined),
      }
    }),
  }
}

/** The hardware of a run: sizes and instances as its statistics print them; levels of the nest that they do not list store nothing. */
export function hardwareOf({ id, levels }: Printed, nest: readonly NestLevel[]): Hardware {
  const printed = (name: string): PrintedLevel | undefined => levels.find((entry) => entry.level === name)
  const [compute] = levels
  if (compute === undefined) throw new Error(`${id} prints no level`)
  // Instances of the first stored level at or below `index`, as x and y.
  const meshAt = (index: number): [number, number] => {
    const below = nest.slice(index).find(({ name }) => printed(name) !== undefined)
    const [, x, y] = /\((\d+)\*(\d+)\)/.exec((below === undefined ? compute : printed(below.name))?.Instances ?? '') ?? []
    return [Number(x), Number(y)]
  }
  const mesh = nest.map((entry, index): [number, number] => {
    if (printed(entry.name) !== undefined) return meshAt(index)
    // Between two stored levels: what the levels above have spread already, by the axes that their loops use.
    const above = nest.slice(0, index).findLastIndex(({ name }) => printed(name) !== undefined)
    const [x, y] = meshAt(above)
    const [allX, allY] = meshAt(index)
    const spread = nest.slice(above, index).flatMap(({ loops }) => loops.map(({ axis }) => axis))
    return [spread.includes('X') ? allX : x, spread.includes('Y') ? allY : y]
  })
  mesh.push(meshAt(nest.length))
  return {
    name: id,
    array: { x: 1, y: 1 },
    levels: nest.map(({ name }, index): StorageLevel => {
      const [[x, y] = [1, 1], [nextX, nextY] = [1, 1]] = [mesh[index], mesh[index + 1]]
      const size = printed(name)?.Size
      return {
        name,
        energy: 1,
        ...(printed(name) === undefined ? { words: 0 } : typeof size === 'number' ? { words: size } : {}),
        fanout: { x: nextX / x, y: nextY / y },
      }
    }),
    network: { energy: 0 },
    mac: { energy: 1 },
  }
}
