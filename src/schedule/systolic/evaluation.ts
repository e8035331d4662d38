/**
 * A systolic run as an evaluation, so that it stands beside mappings: the words of `predictSystolic` at the levels of a hardware,
 * priced as its other accesses are. Operands enter the array straight from the outermost level (a kernel has no buffer between),
 * the held operand lies in the registers, all else is on the wires: a hop, never a register access.
 *
 *     outermost  reads: injections, and partial sums that come back; updates: ejections
 *     registers  the held operand: a fill for each word, a read for each MAC; held sums: an update for each MAC, the first one unread
 *     network    a hop for each word that a lane takes from its neighbour
 *     cycles     the steps of all folds, on one array
 */
import type { Accesses, Evaluation, PerOperand } from '../../cost/evaluation.ts'
import { pricesOf } from '../../cost/prices.ts'
import { cell, FILLS, HOPS, READS, tallyLength, UPDATES } from '../../cost/tally.ts'
import type { Hardware } from '../hardware.ts'
import { OPERANDS, type Operand } from '../problem.ts'
import type { SystolicCounts } from './counts.ts'
import type { SystolicShape } from './shape.ts'

const HELD: Readonly<Record<SystolicShape['flow'], Operand>> = { ws: 'weights', is: 'inputs', os: 'outputs' }

/** @param hardware whose prices and level names are used; its array is not looked at, `shape.array` is */
export function systolicEvaluation(shape: SystolicShape, counts: SystolicCounts, hardware: Hardware): Evaluation {
  const { macs, hops, storage } = counts.issued
  const outputs = shape.products * shape.pixels * shape.filters
  const registers = hardware.levels.length - 1
  const array = Math.max(0, registers - 1)
  const tally = new Float64Array(tallyLength(hardware.levels.length))
  const add = (level: number, operand: Operand, kind: number, words: number): void => {
    const at = cell(level, OPERANDS.indexOf(operand), kind)
    tally[at] = (tally[at] ?? 0) + words
  }
  add(0, 'weights', READS, counts.injections.weights)
  add(0, 'inputs', READS, counts.injections.inputs)
  add(0, 'outputs', READS, counts.ejections - outputs)
  add(0, 'outputs', UPDATES, counts.ejections)
  const held = HELD[shape.flow]
  if (held === 'outputs') add(registers, held, UPDATES, macs)
  else add(registers, held, FILLS, counts.injections[held])
  add(registers, held, READS, held === 'outputs' ? macs - outputs : macs)
  for (const operand of OPERANDS) add(array, operand, HOPS, hops[operand])

  const prices = pricesOf(hardware)
  const spent = (level: number, operand: Operand, kind: number): number => {
    const at = cell(level, OPERANDS.indexOf(operand), kind)
    return (tally[at] ?? 0) * (prices.tally[at] ?? 0)
  }
  const accessEnergy = (level: number, operand: Operand): number =>
    [READS, FILLS, UPDATES].reduce((sum, kind) => sum + spent(level, operand, kind), 0)
  const indices = hardware.levels.map((_, level) => level)
  const levels = Object.fromEntries(
    hardware.levels.map(({ name }, level) => [name, OPERANDS.reduce((sum, operand) => sum + accessEnergy(level, operand), 0)]),
  )
  const network = OPERANDS.reduce((sum, operand) => sum + spent(array, operand, HOPS), 0)
  const mac = macs * prices.mac
  const ofOperand = (operand: Operand): number =>
    indices.reduce((sum, level) => sum + accessEnergy(level, operand), spent(array, operand, HOPS))
  const accessesAt = (level: number): PerOperand<Accesses> => perOperand((operand) => countsAt(tally, level, operand))
  return {
    macs,
    cycles: counts.steps,
    utilization: macs / (counts.steps * shape.array.rows * shape.array.columns),
    accesses: Object.fromEntries(hardware.levels.map(({ name }, level) => [name, accessesAt(level)])),
    padding: Object.fromEntries(
      hardware.levels.map(({ name }, level) => [name, level === 0 ? counts.injections.inputs - storage.inputs.loads : 0]),
    ),
    network: { hops },
    energy: {
      total: Object.values(levels).reduce((sum, level) => sum + level, mac + network),
      mac,
      network,
      levels,
      per_operand: perOperand(ofOperand),
    },
    issued: counts.issued,
  }
}

function perOperand<T>(value: (operand: Operand) => T): PerOperand<T> {
  return { weights: value('weights'), inputs: value('inputs'), outputs: value('outputs') }
}

function countsAt(tally: Float64Array, level: number, operand: Operand): Accesses {
  const at = (kind: number): number => tally[cell(level, OPERANDS.indexOf(operand), kind)] ?? 0
  return { reads: at(READS), fills: at(FILLS), updates: at(UPDATES) }
}
