/**
 * The dataflows of the literature as constraints on mappings: data, never a code path. A constraint says which dimensions may be
 * spread over the two axes of the array, which operands each level keeps, and in which order the loops run above the register
 * file. Taxonomy: Sze et al. 2017, section V-B; loop orders: Timeloop's published constraint files restated.
 */
import { z } from 'zod'
import { OptionError } from '../errors.ts'
import { DIMENSIONS, OPERANDS } from './problem.ts'

const dimension = z.enum(DIMENSIONS)
const operand = z.enum(OPERANDS)

const dataflowSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9._-]*$/i, 'letters, digits, . _ -, a letter first'),
  title: z.string(),
  /** Dimensions that may be unrolled along each axis of the array, the first one first. */
  spatial: z.strictObject({ x: z.array(dimension), y: z.array(dimension) }),
  /** Operands kept in the global buffer and in the register file. */
  keep: z.strictObject({ buffer: z.array(operand), registers: z.array(operand) }),
  /** Loops above the register file, from the outermost in; dimensions not named run outside these. */
  innermost: z.array(dimension),
  /** Loops that may run inside a PE. */
  registers: z.array(dimension),
  /** Operands whose words neighbours along x hand on. */
  forward: z.array(operand).optional(),
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
    innermost: ['C', 'R', 'S', 'N', 'P', 'Q'],
    registers: [],
  },
  'os-a': {
    name: 'os-a',
    title: 'output stationary, one channel, many pixels',
    spatial: { x: ['Q'], y: ['P'] },
    keep: { buffer: ['weights', 'inputs'], registers: ['outputs'] },
    innermost: ['C', 'R', 'S'],
    registers: [],
    forward: ['inputs'],
  },
  'os-b': {
    name: 'os-b',
    title: 'output stationary, many channels, many pixels',
    spatial: { x: ['Q'], y: ['M'] },
    keep: { buffer: ['weights', 'inputs'], registers: ['outputs'] },
    innermost: ['C', 'R', 'S'],
    registers: [],
  },
  'os-c': {
    name: 'os-c',
    title: 'output stationary, many channels, one pixel',
    spatial: { x: ['M'], y: ['M'] },
    keep: { buffer: ['inputs'], registers: ['outputs'] },
    innermost: ['C', 'R', 'S'],
    registers: [],
  },
  is: {
    name: 'is',
    title: 'input stationary',
    spatial: { x: ['Q'], y: ['C'] },
    keep: { buffer: ['weights', 'inputs', 'outputs'], registers: ['inputs'] },
    innermost: ['C', 'P', 'Q', 'R', 'S', 'M'],
    registers: [],
  },
  nlr: {
    name: 'nlr',
    title: 'no local reuse',
    spatial: { x: ['M'], y: ['C'] },
    keep: { buffer: ['weights', 'inputs', 'outputs'], registers: [] },
    innermost: ['N', 'P', 'Q', 'C', 'R', 'S'],
    registers: [],
  },
  rs: {
    name: 'rs',
    title: 'row stationary',
    spatial: { x: ['P'], y: ['R', 'C', 'M'] },
    keep: { buffer: ['weights', 'inputs', 'outputs'], registers: ['weights', 'inputs', 'outputs'] },
    innermost: ['M', 'C', 'Q'],
    registers: ['M', 'C', 'S'],
  },
}

/** A constraint given as an object or as parsed JSON. @throws OptionError naming each field that does not fit. */
export function parseDataflow(value: unknown): Dataflow {
  const parsed = dataflowSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
  throw new OptionError(`This is no dataflow: ${faults.join('; ')}`, { remedy: 'See DATAFLOWS for examples' })
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
