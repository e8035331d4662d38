/**
 * The dataflows of the literature as constraints on mappings: data, never a code path. A constraint says which dimensions may be
 * spread over the two axes of the array, which operands each level keeps, and in which order the loops run above the register
 * file. The kernels take the narrow reading (`innermost`, `keep`), the mapper the wide one (`order`, `optional`, `whole`). Taxonomy: Sze et al. 2017, section V-B; loop orders: Timeloop's published constraint files restated.
 */
import { z } from 'zod'
import { OptionError } from '../errors.ts'
import { DIMENSIONS, OPERANDS } from './problem.ts'

const dimension = z.enum(DIMENSIONS)
const operand = z.enum(OPERANDS)

const operands = z.array(operand)
const dimensions = z.array(dimension)

/** What one level may do, where it differs from what the dataflow says of all levels. */
const levelSchema = z.strictObject({
  /** Dimensions that may loop in time at the level (default all; at the register file: `registers`). */
  temporal: dimensions.optional(),
  /** Dimensions that may be spread over the level's fan-out. */
  spatial: z.strictObject({ x: dimensions.optional(), y: dimensions.optional() }).optional(),
  keep: operands.optional(),
  optional: operands.optional(),
  order: z.array(dimensions).optional(),
})

const dataflowSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9._-]*$/i, 'letters, digits, . _ -, a letter first'),
  title: z.string(),
  /** Dimensions that may be unrolled along each axis of the array, the first one first. */
  spatial: z.strictObject({ x: dimensions, y: dimensions }),
  /** Operands kept in the global buffer (all levels between the outermost and the innermost) and in the register file (the innermost). */
  keep: z.strictObject({ buffer: operands, registers: operands }),
  /** Operands that the mapper may keep there or not, whatever `keep` says. */
  optional: z.strictObject({ buffer: operands.optional(), registers: operands.optional() }).optional(),
  /** Loops above the register file, from the outermost in; dimensions not named run outside these. */
  innermost: dimensions,
  /**
   * The same as a partial order, for the mapper: groups of loops from the outermost in, those of a group in any order, dimensions
   * not named outside all. Absent: `innermost`, in its order.
   */
  order: z.array(dimensions).optional(),
  /** Loops that may run inside a PE. */
  registers: dimensions,
  /** Dimensions that run whole inside a PE or over the array, as far as there is room. */
  whole: dimensions.optional(),
  /** Operands whose words neighbours along x hand on; the mapper may leave it. Where reads are multicast, inputs alone gain by it. */
  forward: operands.optional(),
  /** By name of a level of the hardware: what holds there in place of the above. */
  levels: z.record(z.string(), levelSchema).optional(),
})
export type Dataflow = Readonly<z.infer<typeof dataflowSchema>>

export const DATAFLOW_NAMES = ['ws', 'os-a', 'os-b', 'os-c', 'is', 'nlr', 'rs'] as const
export type DataflowName = (typeof DATAFLOW_NAMES)[number]

export const DATAFLOWS: Readonly<Record<DataflowName, Dataflow>> = {
  ws: {
    name: 'ws',
    title: 'weight stationary',
    spatial: { x: ['M'], y: ['C'] },
    keep: { buffer: ['inputs', 'outputs'], registers: ['weights'] },
    optional: { buffer: [...OPERANDS] },
    innermost: ['C', 'R', 'S', 'N', 'P', 'Q'],
    order: [
      ['C', 'R', 'S'],
      ['N', 'P', 'Q'],
    ],
    registers: [],
  },
  'os-a': {
    name: 'os-a',
    title: 'output stationary, one channel, many pixels',
    spatial: { x: ['Q'], y: ['P'] },
    keep: { buffer: ['weights', 'inputs'], registers: ['outputs'] },
    optional: { buffer: [...OPERANDS] },
    innermost: ['C', 'R', 'S'],
    order: [['C', 'R', 'S']],
    registers: [],
    forward: ['inputs'],
  },
  'os-b': {
    name: 'os-b',
    title: 'output stationary, many channels, many pixels',
    spatial: { x: ['Q'], y: ['M'] },
    keep: { buffer: ['weights', 'inputs'], registers: ['outputs'] },
    optional: { buffer: [...OPERANDS] },
    innermost: ['C', 'R', 'S'],
    order: [['C', 'R', 'S']],
    registers: [],
  },
  'os-c': {
    name: 'os-c',
    title: 'output stationary, many channels, one pixel',
    spatial: { x: ['M'], y: ['M'] },
    keep: { buffer: ['inputs'], registers: ['outputs'] },
    optional: { buffer: [...OPERANDS] },
    innermost: ['C', 'R', 'S'],
    order: [['C', 'R', 'S']],
    registers: [],
  },
  is: {
    name: 'is',
    title: 'input stationary',
    spatial: { x: ['Q'], y: ['C'] },
    keep: { buffer: ['weights', 'inputs', 'outputs'], registers: ['inputs'] },
    optional: { buffer: [...OPERANDS] },
    innermost: ['C', 'P', 'Q', 'R', 'S', 'M'],
    order: [['N', 'C', 'P', 'Q', 'R', 'S'], ['M']],
    registers: [],
  },
  nlr: {
    name: 'nlr',
    title: 'no local reuse',
    spatial: { x: ['M'], y: ['C'] },
    keep: { buffer: ['weights', 'inputs', 'outputs'], registers: [] },
    optional: { buffer: [...OPERANDS] },
    innermost: ['N', 'P', 'Q', 'C', 'R', 'S'],
    order: [['C', 'R', 'S']],
    registers: [],
  },
  rs: {
    name: 'rs',
    title: 'row stationary',
    spatial: { x: ['P'], y: ['R', 'C', 'M'] },
    keep: { buffer: ['weights', 'inputs', 'outputs'], registers: ['weights', 'inputs', 'outputs'] },
    optional: { buffer: [...OPERANDS] },
    innermost: ['M', 'C', 'Q'],
    order: [
      ['M', 'C'],
      ['N', 'P', 'Q'],
    ],
    registers: ['M', 'C', 'S'],
    whole: ['R', 'S'],
  },
}

/** No constraint: any dimension on either axis, any operand anywhere, any order. */
export const UNCONSTRAINED: Dataflow = {
  name: 'none',
  title: 'unconstrained',
  spatial: { x: [...DIMENSIONS], y: [...DIMENSIONS] },
  keep: { buffer: [...OPERANDS], registers: [...OPERANDS] },
  optional: { buffer: [...OPERANDS], registers: [...OPERANDS] },
  innermost: [],
  order: [],
  registers: [...DIMENSIONS],
  forward: ['inputs'],
}

/** A constraint given as an object or as parsed JSON. @throws OptionError naming each field that does not fit. */
export function parseDataflow(value: unknown): Dataflow {
  const parsed = dataflowSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
  throw new OptionError(`This is no dataflow: ${faults.join('; ')}`, {
    remedy: 'See DATAFLOWS, or `tilewright map --help`, for an example',
  })
}

/** A dataflow by name, either spelling of the output-stationary ones (`os-a`, `os_a`). @throws OptionError listing the names. */
export function dataflowNamed(name: string): Dataflow {
  const key = name.toLowerCase().replaceAll('_', '-')
  const found = DATAFLOW_NAMES.find((known) => known === key)
  if (found === undefined) {
    throw new OptionError(`There is no dataflow called "${name}"`, { remedy: `Choose one of ${DATAFLOW_NAMES.join(', ')}` })
  }
  return DATAFLOWS[found]
}

/** A constraint for the mapper: by name, as an object, or none (absent, `none`, `any`). @throws OptionError */
export function constraintNamed(dataflow: string | Dataflow | undefined): Dataflow {
  if (dataflow === undefined) return UNCONSTRAINED
  if (typeof dataflow !== 'string') return parseDataflow(dataflow)
  return dataflow === 'none' || dataflow === 'any' ? UNCONSTRAINED : dataflowNamed(dataflow)
}
