/**
 * Any hardware seen as one that a workgroup can hold: storage buffers, workgroup memory, invocations, private variables. Think of it
 * as a model railway: the levels that the GPU lacks are put together, the sizes are cut, and every cut is written down.
 *
 *     DRAM ─▶ L2 ─▶ buffer ══▶ spads ─▶ MAC        the array is the largest fan-out on the chip (══▶), the innermost of
 *     DRAM ─▶ └── buffer ──┘══▶ registers          equals; storage above it is the buffer, storage below it the registers
 *
 * Other fan-outs above the array become workgroups; those below it loops inside an invocation.
 */
import type { DeviceFacts } from '../gpu/program.ts'
import { fanoutOf, type Fanout, type Hardware, type StorageLevel } from './hardware.ts'
import { workgroupWords } from './lowering/lower.ts'
import { OPERANDS, type Operand } from './problem.ts'

/** Register words a mapping may use in one invocation, above which compilers spill. */
export const REGISTER_WORDS = 64
/** Lanes along x where an array is cut. */
const LANES = 16

export interface Workgroup {
  /** Of three levels: DRAM, a buffer and registers. */
  readonly hardware: Hardware
  /** Level of the original whose fan-out is the array: levels 1 to this one are the buffer, later ones the registers. */
  readonly array: number
  /** What was put together, and what was cut. */
  readonly notes: readonly string[]
}

/** The hardware folded to three levels and cut to what one workgroup has, under a grid of workgroups. */
export function fitWorkgroup(hardware: Hardware, device: DeviceFacts): Workgroup {
  const array = arrayLevel(hardware)
  const notes = [...foldNotes(hardware, array)]
  const cut = (level: StorageLevel, most: number, what: string): StorageLevel => {
    if (level.words !== undefined && level.words <= most) return level
    if (level.words !== undefined) notes.push(`${level.name} of ${level.words} words shrunk to ${most}: ${what}`)
    return { ...level, words: most }
  }
  const whole = fanoutOf(hardware, array)
  const lanes = device.limits.maxComputeInvocationsPerWorkgroup
  const fitted = fitArray(whole, lanes)
  if (fitted.x !== whole.x || fitted.y !== whole.y) {
    notes.push(`array of ${whole.x}×${whole.y} shrunk to ${fitted.x}×${fitted.y}: a workgroup has ${lanes} invocations`)
  }
  const dram = hardware.levels[0] ?? { name: 'DRAM', energy: 0 }
  const limit = device.limits.maxComputeWorkgroupsPerDimension
  const grid = array > 0 && dram.fanout !== undefined ? dram.fanout : { x: limit, y: limit }
  const above = folded(hardware, [1, array], { name: 'buffer', energy: dram.energy, isShared: true }, notes)
  const buffer = cut(above, workgroupWords(device), 'workgroup memory')
  const inside: readonly [number, number] = [array + 1, hardware.levels.length - 1]
  const registers = cut(
    folded(hardware, inside, { name: 'registers', energy: 0, isShared: false }, notes),
    REGISTER_WORDS,
    'registers of one invocation',
  )
  notes.push(
    `modelled: array of ${fitted.x}×${fitted.y}, ${buffer.name} of ${buffer.words} words, ${registers.name} of ${registers.words}`,
  )
  return {
    array,
    notes,
    hardware: {
      ...hardware,
      array: fitted,
      levels: [{ ...dram, fanout: grid, multicast: false }, { ...buffer, fanout: fitted }, registers],
    },
  }
}

/** Operands that a level can keep: none without storage. */
export function holdsOf(level: StorageLevel | undefined): readonly Operand[] {
  return level === undefined || level.words === 0 ? [] : (level.holds ?? OPERANDS)
}

/** Level of the largest fan-out, the innermost of equals; DRAM's own, which is a grid to a GPU, only where there is no other. */
function arrayLevel(hardware: Hardware): number {
  const instances = hardware.levels.map((_, index) => fanoutOf(hardware, index).x * fanoutOf(hardware, index).y)
  const most = Math.max(1, ...instances.slice(1))
  if (most > 1) return instances.lastIndexOf(most)
  return (instances[0] ?? 1) > 1 && hardware.levels[0]?.multicast !== false ? 0 : Math.min(1, hardware.levels.length - 1)
}

function fitArray({ x, y }: Fanout, lanes: number): Fanout {
  if (x * y <= lanes) return { x, y }
  const across = Math.min(x, Math.max(Math.min(LANES, lanes), Math.floor(lanes / y)))
  return { x: across, y: Math.min(y, Math.floor(lanes / across)) }
}

/** Levels `first` … `last` as one; none at all is a level without storage. */
function folded(
  hardware: Hardware,
  [first, last]: readonly [number, number],
  { name, energy, isShared }: { readonly name: string; readonly energy: number; readonly isShared: boolean },
  notes: string[],
): StorageLevel {
  const levels = hardware.levels.slice(first, last + 1)
  const [only] = levels
  if (only === undefined) {
    notes.push(`${hardware.name} has no ${name}: nothing is kept there`)
    return { name, words: 0, energy }
  }
  const sizes = levels.map((_, k) => usableWords(hardware, first + k, isShared ? [first + k, last] : [first, first + k]))
  if (levels.length === 1) {
    if (only.double_buffered === true) notes.push(`${only.name} is double-buffered: a tile takes half of it, ${sizes[0]} words`)
    const { double_buffered: _, fanout: __, words: ___, ...rest } = only
    return sizes[0] === undefined ? rest : { ...rest, words: sizes[0] }
  }
  const holds = OPERANDS.filter((operand) => levels.some((level) => holdsOf(level).includes(operand)))
  const words = sizes.some((size) => size === undefined) ? undefined : sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
  const largest = levels.reduce((most, level, k) =>
    (sizes[k] ?? Infinity) > (sizes[levels.indexOf(most)] ?? Infinity) ? level : most,
  )
  return {
    name: levels.map((level) => level.name).join('+'),
    energy: largest.energy,
    ...(largest.readEnergy === undefined ? {} : { readEnergy: largest.readEnergy }),
    ...(largest.writeEnergy === undefined ? {} : { writeEnergy: largest.writeEnergy }),
    ...(words === undefined ? {} : { words }),
    ...(holds.length === OPERANDS.length ? {} : { holds }),
  }
}

/** Words of a level, half of a double buffer: the part of one array where several share it, or all that one PE has of it. */
function usableWords(hardware: Hardware, index: number, [from, to]: readonly [number, number]): number | undefined {
  const level = hardware.levels[index]
  if (level?.words === undefined) return undefined
  const words = level.double_buffered === true ? Math.floor(level.words / 2) : level.words
  let fan = 1
  for (let k = from; k < to; k++) fan *= fanoutOf(hardware, k).x * fanoutOf(hardware, k).y
  return from === index ? Math.floor(words / fan) : words * fan
}

function foldNotes(hardware: Hardware, array: number): string[] {
  const { levels } = hardware
  const names = (from: number, to: number): string =>
    levels
      .slice(from, to)
      .map(({ name }) => name)
      .join(', ')
  const at = levels[array]?.name ?? 'DRAM'
  const { x, y } = fanoutOf(hardware, array)
  const notes: string[] = []
  if (array > 1)
    notes.push(`${names(1, array + 1)} merged into workgroup memory: they lie above the array of ${x}×${y} below ${at}`)
  if (levels.length - array > 2) notes.push(`${names(array + 1, levels.length)} merged into registers: they lie in a PE`)
  for (const [index, { name, multicast }] of levels.entries()) {
    const fan = fanoutOf(hardware, index)
    if (index === array || fan.x * fan.y === 1 || (index === 0 && multicast === false)) continue
    notes.push(
      `fan-out of ${fan.x}×${fan.y} below ${name} ${index < array ? 'becomes workgroups, or time' : 'becomes loops of an invocation'}`,
    )
  }
  return notes
}
