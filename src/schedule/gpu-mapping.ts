/**
 * A mapping for the GPU at hand: the mapper with issued accesses and idle lanes as its objective, over a hardware that a
 * workgroup can hold. Any hardware is taken: what a workgroup lacks is merged or shrunk (workgroup.ts), and said.
 */
import { MappingError } from '../errors.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import { searchMappings } from './candidates.ts'
import type { Dataflow } from './dataflow.ts'
import { fanoutOf, type Hardware } from './hardware.ts'
import { bufferWords, laneLayout, registerWords, workgroupWords, type InputExtent } from './lowering/lower.ts'
import { predictIssued } from './lowering/issued.ts'
import { nestOf, type Nest } from './lowering/nest.ts'
import type { Mapping } from './mapping.ts'
import type { Searched } from './mapper.ts'
import { macsOf, type Problem } from './problem.ts'
import { fitWorkgroup, holdsOf } from './workgroup.ts'

export interface GpuMapping {
  readonly mapping: Mapping
  /**
   * The hardware that the mapping was made for: `hardware` as far as a workgroup holds it, under a grid of as many workgroups as
   * the mapping uses (so that utilisation speaks of lanes, not of a grid without end).
   */
  readonly hardware: Hardware
  readonly searched: Searched
  /** What was shrunk, for the report. */
  readonly notes: readonly string[]
}

/** A mapping that a workgroup holds, with the GPU's predicted cost: steps of all lanes, weighted by what a step issues. */
export interface GpuCandidate {
  readonly mapping: Mapping
  readonly score: number
}

/**
 * @param wantedFlow a buffer that does not hold one of its operands is passed by, and said
 * @param hardware the GPU's own, or a published accelerator's to be mirrored in tiles, of any number of levels
 * @throws MappingError when nothing fits, or the hardware has no registers for what the dataflow keeps there
 */
export function mapForGpu(
  problem: Problem,
  wantedFlow: Dataflow,
  hardware: Hardware,
  device: DeviceFacts,
  input: InputExtent,
  options: {
    readonly seed?: number
    readonly budget?: number
    readonly signal?: AbortSignal
    /** Told of every mapping looked at that fits, with its score (less is better). */
    readonly onCandidate?: (candidate: GpuCandidate) => void
  } = {},
): GpuMapping {
  const { hardware: shrunk, notes: fitted } = fitWorkgroup(hardware, device)
  const notes = [...fitted]
  const dataflow = allowed(wantedFlow, shrunk, notes)
  const wanted = dataflow.forward ?? []
  const others = wanted.filter((operand) => operand !== 'inputs')
  if (others.length > 0) notes.push(`${others.join(' and ')} not forwarded: kernels hand on inputs alone`)
  const candidates = wanted.includes('inputs') ? [true, false] : [false]
  let refusal: unknown
  for (const forward of candidates) {
    const withForward = (mapping: Mapping): Mapping => (forward ? forwarding(mapping) : mapping)
    try {
      const { mapping, searched } = searchMappings(problem, { hardware: shrunk, dataflow, ...options }, (candidate) => {
        const forwarded = withForward(candidate)
        const score = scoreOnGpu(nestOf(problem, forwarded), device, input, shrunk)
        if (score < Infinity) options.onCandidate?.({ mapping: forwarded, score })
        return score
      })
      return { mapping: withForward(mapping), hardware: withGrid(shrunk, mapping), searched, notes }
    } catch (error) {
      if (!(error instanceof MappingError)) throw error
      refusal = error
      if (forward) notes.push(`inputs not forwarded: ${whyNotForwarded(problem, device)}`)
    }
  }
  throw refusal
}

/** The dataflow with what the hardware's buffer can keep. @throws MappingError where registers cannot keep what makes the dataflow */
function allowed(dataflow: Dataflow, hardware: Hardware, notes: string[]): Dataflow {
  const [, buffer, registers] = hardware.levels
  const missing = dataflow.keep.registers.filter((operand) => !holdsOf(registers).includes(operand))
  if (missing.length > 0 || dataflow.keep.registers.length > (registers?.words ?? Infinity)) {
    const lacking = missing.length > 0 ? missing : dataflow.keep.registers
    throw new MappingError(`${hardware.name} has no registers for the ${lacking.join(' and ')} that ${dataflow.name} keeps there`, {
      level: registers?.name,
      words: registers?.words,
      remedy: 'Choose a dataflow that keeps less in registers',
    })
  }
  const keep = dataflow.keep.buffer.filter((operand) => holdsOf(buffer).includes(operand))
  if (keep.length === dataflow.keep.buffer.length) return dataflow
  const past = dataflow.keep.buffer.filter((operand) => !keep.includes(operand))
  notes.push(`${past.join(' and ')} pass ${buffer?.name} by: it does not hold them`)
  return { ...dataflow, keep: { ...dataflow.keep, buffer: keep } }
}

function forwarding(mapping: Mapping): Mapping {
  return { levels: mapping.levels.map((level, index) => (index === 1 ? { ...level, forward: { inputs: 'x' } } : level)) }
}

/** No candidate could forward: what stands in the way, the problem's form first. */
function whyNotForwarded(problem: Problem, device: DeviceFacts): string {
  if (problem.S === 1 || problem.Q === 1) return 'the window does not move along Q'
  if (problem.stride[1] !== 1 || problem.dilation[1] !== 1) return 'a neighbour holds the next word only at stride and dilation 1'
  if (device.subgroups?.linear !== true) return 'this adapter has no subgroups in lane order'
  return 'no mapping of the dataflow has lanes along Q that divide a subgroup, with S innermost'
}

/** The hardware under a grid of as many workgroups as the mapping uses. */
export function withGrid(hardware: Hardware, mapping: Mapping): Hardware {
  const groups = (mapping.levels[0]?.spatial?.x ?? []).reduce((product, [, bound]) => product * bound, 1)
  return {
    ...hardware,
    levels: hardware.levels.map((level, index) => (index === 0 ? { ...level, fanout: { x: groups, y: 1 } } : level)),
  }
}

/** Steps of all lanes, idle ones too, weighted by what a step issues; Infinity where a workgroup cannot hold the nest. */
function scoreOnGpu(nest: Nest, device: DeviceFacts, input: InputExtent, hardware: Hardware): number {
  const lanes = laneLayout(nest, device)
  const words = bufferWords(nest)
  const array = fanoutOf(hardware, 1)
  if (lanes.count > device.limits.maxComputeInvocationsPerWorkgroup) return Infinity
  if (words > (hardware.levels[1]?.words ?? Infinity) || words + lanes.networkWords > workgroupWords(device)) return Infinity
  if (nest.lanes.reduce((product, loop) => product * loop.bound, 1) > array.x * array.y) return Infinity
  if (registerWords(nest) > (hardware.levels[2]?.words ?? Infinity)) return Infinity
  const trips = (loops: readonly { readonly bound: number }[]): number => loops.reduce((product, loop) => product * loop.bound, 1)
  const groups = trips(nest.grid)
  const laneSteps = groups * lanes.count * trips(nest.dram) * trips(nest.buffer) * trips(nest.registers)
  const { storage, workgroup, hops } = predictIssued(nest, input)
  const all = (space: typeof storage): number => Object.values(space).reduce((sum, { loads, stores }) => sum + loads + stores, 0)
  const handed = (hops.inputs + hops.outputs) * (lanes.network === 'workgroup' ? 8 : 2)
  const perMac = 1 + (2 * all(storage) + all(workgroup) + handed) / macsOf(nest.problem)
  const wanted = device.software ? 4 : 256
  return laneSteps * perMac * Math.max(1, wanted / groups)
}
