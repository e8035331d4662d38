/**
 * Problems, hardware and mappings from JSON: one file with all three keys, or three files. Think of it as the customs desk: what
 * passes is of the types of `problem.ts`, `hardware.ts` and `mapping.ts`, and what does not is named by its path.
 */
import { z } from 'zod'
import { MappingError, OptionError, ShapeError } from '../errors.ts'
import {
  SPARSE_FORMATS,
  type Fanout,
  type Hardware,
  type HardwareSparsity,
  type OperandSparsity,
  type StorageLevel,
} from './hardware.ts'
import type { Loop, Mapping, MappingLevel } from './mapping.ts'
import { DIMENSIONS, OPERANDS, convProblem, macsOf, type Operand, type Problem } from './problem.ts'

/** No bound, size or price in a file may pass this: beyond it products leave the exact integers. */
const LARGEST = 2 ** 31 - 1

/** Characters of what is said of one field. */
const LONGEST_FAULT = 400

const count = z.int().min(1).max(LARGEST)
const size = z.int().min(0).max(LARGEST)
const bound = count.default(1)
const price = z.number().min(0).max(1e12)
const rate = z.number().gt(0).max(1e15)
const name = z.string().min(1).max(200)

const bits = z.int().min(1).max(1024)

function perOperand<T extends z.ZodType>(value: T) {
  return z.strictObject({ weights: value.optional(), inputs: value.optional(), outputs: value.optional() })
}

const problemSchema = z.strictObject({
  N: bound,
  M: bound,
  C: bound,
  P: bound,
  Q: bound,
  R: bound,
  S: bound,
  stride: z.tuple([count, count]).default([1, 1]),
  dilation: z.tuple([count, count]).default([1, 1]),
  padding: z.tuple([size, size, size, size]).default([0, 0, 0, 0]),
  groups: bound,
  schema: z.string().optional(),
  name: z.string().optional(),
})

const fanoutSchema = z.strictObject({ x: count, y: count })

const storageSchema = z.strictObject({
  name,
  words: size.optional(),
  energy: price,
  readEnergy: price.optional(),
  writeEnergy: price.optional(),
  fanout: fanoutSchema.optional(),
  bandwidth: z.strictObject({ read: rate.optional(), write: rate.optional() }).optional(),
  double_buffered: z.boolean().optional(),
  multicast: z.boolean().optional(),
  word_bits: bits.optional(),
  holds: z.array(z.enum(OPERANDS)).max(OPERANDS.length).optional(),
  network: z.strictObject({ energy: price }).optional(),
  compression: perOperand(z.number().gt(0).max(2)).optional(),
})

const zeroActionSchema = z.enum(['gate', 'skip'])
const factorsSchema = z
  .array(z.enum(['weights', 'inputs']))
  .min(1)
  .max(2)

const operandSparsitySchema = z.strictObject({
  format: z.enum(SPARSE_FORMATS).optional(),
  run_bits: z.int().min(1).max(32).optional(),
  pack_bits: bits.optional(),
  stored: z.number().min(0).max(1).optional(),
  index_bits: z.int().min(1).max(64).optional(),
  action: zeroActionSchema.optional(),
  on: factorsSchema.optional(),
})

const sparsitySchema = z.strictObject({
  compute: z.strictObject({ action: zeroActionSchema, on: factorsSchema }).optional(),
  levels: z.record(name, perOperand(operandSparsitySchema)).optional(),
})

const hardwareSchema = z.strictObject({
  schema: z.string().optional(),
  name,
  source: z.string().optional(),
  array: fanoutSchema.default({ x: 1, y: 1 }),
  levels: z.array(storageSchema).min(1).max(32),
  network: z.strictObject({ energy: price }).default({ energy: 0 }),
  mac: z.strictObject({ energy: price, add: price.optional() }),
  word_bits: bits.optional(),
  precision: perOperand(bits).optional(),
  clock_hz: rate.optional(),
  energy_unit: z.string().max(100).optional(),
  dataflow: z.string().max(200).optional(),
  systolic: z.enum(['ws', 'os', 'is']).optional(),
  sparsity: sparsitySchema.optional(),
  energies: z.strictObject({ published: z.array(z.string()), normalised: z.array(z.string()) }).optional(),
  notes: z.array(z.string()).optional(),
})

const loopSchema = z.tuple([z.enum(DIMENSIONS), count])
const loopsSchema = z.array(loopSchema).max(64)
const axisSchema = z.enum(['x', 'y'])

const levelSchema = z.strictObject({
  name,
  temporal: loopsSchema.default([]),
  spatial: z.strictObject({ x: loopsSchema.optional(), y: loopsSchema.optional() }).optional(),
  keep: z.array(z.enum(OPERANDS)).max(OPERANDS.length).optional(),
  forward: perOperand(axisSchema).optional(),
})

const mappingSchema = z.strictObject({
  schema: z.string().optional(),
  name: z.string().optional(),
  levels: z.array(levelSchema).min(1).max(32),
})

/** A problem with defaults filled in. @throws ShapeError naming the field */
export function parseProblem(value: unknown): Problem {
  const fields = parse(problemSchema, value, 'problem', ShapeError)
  const { N, M, C, P, Q, R, S, stride, dilation, padding, groups } = fields
  const problem = convProblem({ N, M, C, P, Q, R, S, stride, dilation, padding, groups })
  const span = Math.max((P - 1) * stride[0] + (R - 1) * dilation[0] + 1, (Q - 1) * stride[1] + (S - 1) * dilation[1] + 1)
  if (macsOf(problem) > Number.MAX_SAFE_INTEGER || span > Number.MAX_SAFE_INTEGER) {
    throw new ShapeError('The problem is too large to count exactly', { limit: '2^53 − 1 multiply-accumulates' })
  }
  return problem
}

/** A hardware. @throws OptionError naming the field */
export function parseHardware(value: unknown): Hardware {
  const fields = parse(hardwareSchema, value, 'hardware', OptionError)
  const names = fields.levels.map((level) => level.name)
  const twice = names.find((level, index) => names.indexOf(level) !== index)
  if (twice !== undefined)
    throw new OptionError(`hardware.levels: two levels are called "${twice}"`, { remedy: 'Give each a name of its own' })
  return {
    name: fields.name,
    ...given('source', fields.source),
    array: fields.array,
    levels: fields.levels.map(storageOf),
    network: fields.network,
    mac: { energy: fields.mac.energy, ...given('add', fields.mac.add) },
    ...given('word_bits', fields.word_bits),
    ...given('precision', operandsOf(fields.precision)),
    ...given('clock_hz', fields.clock_hz),
    ...given('energy_unit', fields.energy_unit),
    ...given('dataflow', fields.dataflow),
    ...given('systolic', fields.systolic),
    ...given('sparsity', sparsityOf(fields.sparsity, names)),
    ...given('energies', fields.energies),
    ...given('notes', fields.notes),
  }
}

/** A mapping by itself; whether it is legal for a problem and hardware, `checkMapping` says. @throws MappingError naming the field */
export function parseMapping(value: unknown): Mapping {
  const { levels } = parse(mappingSchema, value, 'mapping', MappingError)
  return { levels: levels.map(levelOf) }
}

/** The parts of a file that holds problem, hardware and mapping, the mapping under its key or its `levels` at top level. */
export interface EvaluationFile {
  readonly problem?: Problem
  /** A name of a hardware file that Tilewright has, or a hardware. */
  readonly hardware?: string | Hardware
  readonly mapping?: Mapping
}

/** What a file says of the three, each where it is there. @throws ShapeError, OptionError, MappingError naming the field */
export function parseEvaluationFile(value: unknown): EvaluationFile {
  const record = parse(z.record(z.string(), z.unknown()), value, 'file', OptionError)
  const hasKeys = 'problem' in record || 'hardware' in record || 'mapping' in record
  const mapping = record.mapping ?? (hasKeys && record.levels !== undefined ? { levels: record.levels } : undefined)
  const hardware = record.hardware
  return {
    ...given('problem', record.problem === undefined ? undefined : parseProblem(record.problem)),
    ...given('hardware', hardware === undefined ? undefined : typeof hardware === 'string' ? hardware : parseHardware(hardware)),
    ...given('mapping', mapping === undefined ? undefined : parseMapping(mapping)),
  }
}

function storageOf(level: z.output<typeof storageSchema>): StorageLevel {
  const { read, write } = level.bandwidth ?? {}
  return {
    name: level.name,
    energy: level.energy,
    ...given('words', level.words),
    ...given('readEnergy', level.readEnergy),
    ...given('writeEnergy', level.writeEnergy),
    ...given<'fanout', Fanout>('fanout', level.fanout),
    ...(level.bandwidth === undefined ? {} : { bandwidth: { ...given('read', read), ...given('write', write) } }),
    ...given('double_buffered', level.double_buffered),
    ...given('multicast', level.multicast),
    ...given('word_bits', level.word_bits),
    ...given('holds', level.holds),
    ...given('network', level.network),
    ...given('compression', operandsOf(level.compression)),
  }
}

/** @throws OptionError where it names a level that the hardware has not, or says half of an action */
function sparsityOf(value: z.output<typeof sparsitySchema> | undefined, names: readonly string[]): HardwareSparsity | undefined {
  if (value === undefined) return undefined
  const levels = Object.entries(value.levels ?? {}).map(([level, operands]) => {
    const path = `hardware.sparsity.levels.${level.slice(0, 60)}`
    if (!names.includes(level)) throw new OptionError(`${path}: there is no such level`, { remedy: `It has ${names.join(', ')}` })
    const own = OPERANDS.flatMap((operand) => {
      const entry = operands[operand]
      return entry === undefined ? [] : [[operand, operandSparsityOf(entry, operand, `${path}.${operand}`)] as const]
    })
    return [level, Object.fromEntries(own)] as const
  })
  return { ...given('compute', value.compute), ...(levels.length === 0 ? {} : { levels: Object.fromEntries(levels) }) }
}

function operandSparsityOf(entry: z.output<typeof operandSparsitySchema>, operand: Operand, path: string): OperandSparsity {
  const { format, run_bits, pack_bits, stored, index_bits, action, on } = entry
  const isRun = run_bits !== undefined || pack_bits !== undefined || stored !== undefined
  const refuse = (fault: string, remedy: string): never => {
    throw new OptionError(`${path}: ${fault}`, { remedy })
  }
  if ((action === undefined) !== (on === undefined)) refuse('"action" and "on" go together', 'Give both, or neither')
  if (on?.some((factor) => factor === operand) === true) {
    refuse('zeros of an operand itself are a matter of its format', 'Name the other operand in "on", or give a "format"')
  }
  if (isRun && format !== 'rle') refuse('run_bits, pack_bits and stored are of the format "rle"', 'Give "format": "rle"')
  if (index_bits !== undefined && format !== 'coordinate' && format !== 'csr' && format !== 'csc') {
    refuse('index_bits is of the formats "coordinate", "csr" and "csc"', 'Give one of these as "format"')
  }
  return {
    ...given('format', format),
    ...given('run_bits', run_bits),
    ...given('pack_bits', pack_bits),
    ...given('stored', stored),
    ...given('index_bits', index_bits),
    ...given('action', action),
    ...given('on', on),
  }
}

function levelOf(level: z.output<typeof levelSchema>): MappingLevel {
  const { x, y } = level.spatial ?? {}
  return {
    name: level.name,
    temporal: level.temporal,
    ...(level.spatial === undefined ? {} : { spatial: { ...given<'x', Loop[]>('x', x), ...given<'y', Loop[]>('y', y) } }),
    ...given('keep', level.keep),
    ...given('forward', operandsOf(level.forward)),
  }
}

/** Values by operand, without the absent ones. */
function operandsOf<T>(
  values: { weights?: T | undefined; inputs?: T | undefined; outputs?: T | undefined } | undefined,
): Partial<Record<Operand, T>> | undefined {
  if (values === undefined) return undefined
  const { weights, inputs, outputs } = values
  return { ...given('weights', weights), ...given('inputs', inputs), ...given('outputs', outputs) }
}

/** A property only where there is a value. */
function given<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [key in K]?: V })
}

type ErrorClass = new (message: string, details: { readonly remedy: string }) => Error

function parse<T extends z.ZodType>(schema: T, value: unknown, what: string, Refusal: ErrorClass): z.output<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = (issue?.path ?? []).map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  const others = result.error.issues.length - 1
  const more = others > 0 ? ` (and ${others} more)` : ''
  const fault = issue?.code === 'unrecognized_keys' ? unknownKeys(issue.keys, partOf(schema, issue.path)) : issue?.message
  throw new Refusal(`${what}${path}: ${(fault ?? 'not valid').slice(0, LONGEST_FAULT)}${more}`, {
    remedy: `Correct ${what}${path} in the JSON`,
  })
}

/** Names a few of the keys, each cut, and lists those that there are. */
function unknownKeys(keys: readonly string[], part: z.ZodType | undefined): string {
  const shown = keys.slice(0, 3).map((key) => JSON.stringify(key.length > 24 ? `${key.slice(0, 24)}…` : key))
  const rest = keys.length - shown.length
  const names = rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ')
  const known = part instanceof z.ZodObject ? `; it has ${Object.keys(part.shape).join(', ')}` : ''
  return `there is no ${names}${known}`
}

/** The schema at a path of another. */
function partOf(schema: unknown, path: readonly PropertyKey[]): z.ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return partOf(schema.unwrap(), path)
  const [key, ...rest] = path
  if (key === undefined) return schema instanceof z.ZodType ? schema : undefined
  if (schema instanceof z.ZodArray) return partOf(schema.element, rest)
  return schema instanceof z.ZodObject ? partOf(Reflect.get(schema.shape, key), rest) : undefined
}
