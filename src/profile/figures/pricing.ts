/** The bill of a mapping, sorted into the parts of the chip. */
import { pricesOf, type Convention } from '../../cost/prices.ts'
import { Scorer } from '../../cost/scorer.ts'
import { KINDS, cell } from '../../cost/tally.ts'
import { MappingError } from '../../errors.ts'
import { encode } from '../../schedule/code.ts'
import { fanoutOf, type Hardware } from '../../schedule/hardware.ts'
import type { Mapping } from '../../schedule/mapping.ts'
import { OPERANDS, macsOf, type Problem } from '../../schedule/problem.ts'
import { nothing, type Breakdown, type Moving } from './energy.ts'

/** What the levels of a hardware are called in the figures. */
const LEVELS: readonly Moving[] = ['DRAM', 'buffer', 'RF']

export interface Priced {
  readonly energy: Breakdown
  /** Words read from and written to DRAM. */
  readonly dram: number
  /** MACs over cycles × PEs. */
  readonly utilization: number
}

/**
 * The energy of a mapping on a hardware of three levels.
 * The network's share is what is left of the bill when its price is taken away, so that it holds for any convention.
 * @throws MappingError when the mapping is not legal
 */
export function priceMapping(problem: Problem, hardware: Hardware, mapping: Mapping, convention: Convention): Priced {
  const scorer = new Scorer(problem, hardware, { convention })
  if (!scorer.score(encode(mapping))) {
    throw new MappingError(`The mapping does not fit ${hardware.name}`, { remedy: 'Evaluate it to see why' })
  }
  const { tally } = scorer
  const all = pricesOf(hardware, convention)
  const withoutNetwork = pricesOf({ ...hardware, network: { energy: 0 } }, convention)
  const moved = nothing()
  let dram = 0
  for (const [level, part] of LEVELS.entries()) {
    for (const [index, operand] of OPERANDS.entries()) {
      for (const [kind, name] of KINDS.entries()) {
        const at = cell(level, index, kind)
        const count = tally[at] ?? 0
        const stored = withoutNetwork.tally[at] ?? 0
        moved[part][operand] += count * stored
        moved.array[operand] += count * ((all.tally[at] ?? 0) - stored)
        if (level === 0 && (name === 'reads' || name === 'updates')) dram += count
      }
    }
  }
  const macs = macsOf(problem)
  const pes = hardware.levels.reduce((product, _, level) => product * fanoutOf(hardware, level).x * fanoutOf(hardware, level).y, 1)
  return { energy: { alu: macs * all.mac, moved }, dram, utilization: macs / (scorer.cycles * pes) }
}
