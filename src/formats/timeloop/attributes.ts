/**
 * What the attributes of an architecture's parts mean for counts. Think of it as reading a data sheet: room, ports and energy are
 * taken, switches that would change how Timeloop counts are refused by name, and what Timeloop itself does not count with
 * (technology, banks, ports of memories, latencies) is noted and left.
 */
import type { Field } from '../yaml/read.ts'

/** By key in lower case, with `-` as `_`: files use both. */
export type Attributes = ReadonlyMap<string, Field>

/** Not handed down from a subtree to its parts. */
const OWN = new Set(['meshx', 'meshy', 'meshz', 'instances', 'version'])

/** Attributes that are counted with, or say nothing about counts. */
const READ = new Set([
  'meshx',
  'meshy',
  'instances',
  'depth',
  'memory_depth',
  'entries',
  'sizekb',
  'width',
  'memory_width',
  'datawidth',
  'word_bits',
  'word_width',
  'block_size',
  'n_words',
  'cluster_size',
  'read_bandwidth',
  'write_bandwidth',
  'multiple_buffering',
  'vector_access_energy',
  'energy_per_op',
])
const WITHOUT_EFFECT =
  /^(version|type|technology|latency|global_cycle_(seconds|time)|cycle_(seconds|time)|voltage|n_?(banks|ports|rdwr_ports|rd_ports|wr_ports|buffets)|num_?(banks|ports)|has_power_gating|power_gated_at|update_fifo_depth|multiplier_width|adder_width|exponent|mantissa|num_pipeline_stages|precision|n_bits|subclass|energy_scale|area_scale|.*_area|cluster_area|leak.*)$/

/** Switches of Timeloop's that change counts or legality: the value that leaves them off. */
const SWITCHES: ReadonlyMap<string, (field: Field) => boolean> = new Map([
  ['reduction_supported', (field: Field) => field.flag()],
  ['allow_overbooking', (field: Field) => !field.flag()],
  ['min_utilization', (field: Field) => field.number() === 0],
  ['bandwidth_consumption_scale', (field: Field) => field.number() === 1],
  ['meshz', (field: Field) => field.number() === 1],
  ['shared_bandwidth', (field: Field) => field.number() === -1],
  ['network_read', () => false],
  ['network_fill', () => false],
  ['network_drain', () => false],
  ['network_update', () => false],
  ['metadata_storage_width', (field: Field) => field.number() === 0],
  ['metadata_storage_depth', (field: Field) => field.number() === 0],
  ['metadata_datawidth', (field: Field) => field.number() === 0],
  ['metadata_block_size', (field: Field) => field.number() === 0],
  ['data_storage_width', () => false],
  ['data_storage_depth', () => false],
  ['compression_supported', (field: Field) => !field.flag()],
  ['decompression_supported', (field: Field) => !field.flag()],
  ['tile_partition_supported', (field: Field) => !field.flag()],
  ['concordant_compressed_tile_traversal', (field: Field) => !field.flag()],
])

/** Attributes of a part, over those it is handed down. */
export function attributesOf(field: Field | undefined, inherited: Attributes): Attributes {
  const attributes = new Map([...inherited].filter(([key]) => !OWN.has(key)))
  for (const [key, value] of field?.map() ?? []) {
    if (value.value !== null) attributes.set(key.toLowerCase().replaceAll('-', '_'), value)
  }
  return attributes
}

export type PartKind = 'compute' | 'storage' | 'dummy' | 'network'

/** What a class is, where its name says so. */
export function kindOf(className: string): PartKind | undefined {
  if (/^(dummy_storage|dummy_buffer)$/i.test(className)) return 'dummy'
  if (/(^|_)(noc|network|router|wire|bus)(_|$)/i.test(className)) return 'network'
  if (/^(int|fp|l)?_?macc?(_?\d+b?)?$|^mac_|_macc?$|^(int|fp)?mult(iplier)?$|^compute$|^alu$|^aladdin_multiplier$/i.test(className))
    return 'compute'
  if (/dram|sram|reg_?file|^storage$|smart_?buffer|smart_?storage|buffer|spad|reg_storage|simple_storage|register/i.test(className))
    return 'storage'
  return undefined
}

/** Whether a part of a class of the user's own is storage: it says how much it holds. */
export function isStorage(attributes: Attributes): boolean {
  return ['depth', 'memory_depth', 'entries', 'sizekb'].some((key) => attributes.has(key))
}

/** @throws FileFormatError for a switch that is not off */
export function checkAttributes(part: Field, className: string, attributes: Attributes, notes: string[]): void {
  const left: string[] = []
  for (const [key, value] of attributes) {
    const isOff = SWITCHES.get(key)
    if (isOff !== undefined) {
      if (!isOff(value)) throw value.refuse(`${key} is not read: it would change the counts`, 'Leave it out, or switch it off')
    } else if (!READ.has(key) && !WITHOUT_EFFECT.test(key)) left.push(key)
  }
  if (left.length > 0)
    notes.push(`${part.need('name').text()} (class ${className}): ${left.join(', ')} not read, as Timeloop does not count with it`)
}

export interface Capacity {
  /** Words of an instance; absent: unbounded. */
  readonly words: number | undefined
  /** Words per cycle and instance. */
  readonly read: number | undefined
  readonly write: number | undefined
  readonly isDouble: boolean
  readonly bits: number
}

/** Room and ports. Words = depth × words of a line, or entries, or size over the word's bits, as Timeloop has it. */
export function capacityOf(part: Field, className: string, attributes: Attributes): Capacity {
  const number = (...keys: readonly string[]): Field | undefined =>
    keys.map((key) => attributes.get(key)).find((field) => field !== undefined)
  const count = (field: Field | undefined, least = 1): number | undefined => field?.integer({ least })
  const bits = count(number('word_bits', 'word_width', 'datawidth')) ?? 16
  if (kindOf(className) === 'dummy') return { words: 0, read: undefined, write: undefined, isDouble: false, bits }
  const line = lineOf(part, attributes, bits)
  const entries = count(attributes.get('entries'), 0)
  const depth = count(number('depth', 'memory_depth'), 0)
  const kilobytes = attributes.get('sizekb')?.number({ least: 0, most: 2 ** 31 })
  const words =
    entries ??
    (kilobytes === undefined ? (depth === undefined ? undefined : depth * line) : Math.floor((kilobytes * 1024 * 8) / bits))
  if (words !== undefined && words > 2 ** 31 - 1) throw part.refuse(`a level of ${words} words is too large`)
  const buffers = attributes.get('multiple_buffering')
  const buffering = buffers?.number() ?? 1
  if (buffers !== undefined && buffering !== 1 && buffering !== 2) {
    throw buffers.refuse(`${buffering}-fold buffers are not read`, 'Single (1) and double (2) ones are')
  }
  const rate = (key: string): number | undefined => attributes.get(key)?.number({ least: Number.MIN_VALUE, most: 1e15 })
  return { words, read: rate('read_bandwidth'), write: rate('write_bandwidth'), isDouble: buffering === 2, bits }
}

/** Words that one access of the memory moves. */
function lineOf(part: Field, attributes: Attributes, bits: number): number {
  const given = attributes.get('block_size') ?? attributes.get('n_words')
  const cluster = attributes.get('cluster_size')?.integer({ least: 1 }) ?? 1
  if (given !== undefined) return given.integer({ least: 1 }) * cluster
  const width = (attributes.get('width') ?? attributes.get('memory_width'))?.integer({ least: 1 })
  if (width === undefined) return 1
  if (width % (bits * cluster) !== 0) {
    throw part.refuse(`a line of ${width} bits does not hold a whole number of words of ${bits} bits`)
  }
  return width / bits
}

/** Energy of one word's access, or of one operation, where the file gives it. */
export function energyOf(className: string, attributes: Attributes): number | undefined {
  const kind = kindOf(className)
  if (kind === 'dummy') return 0
  const field = attributes.get(kind === 'compute' ? 'energy_per_op' : 'vector_access_energy')
  const energy = field?.number({ least: 0, most: 1e12 })
  if (energy === undefined || kind === 'compute' || field === undefined) return energy
  const bits =
    (attributes.get('word_bits') ?? attributes.get('word_width') ?? attributes.get('datawidth'))?.integer({ least: 1 }) ?? 16
  return energy / lineOf(field, attributes, bits)
}
