/**
 * A mapping for the GPU at hand: the mapper with issued accesses and idle lanes as its objective, over a hardware that a
 * workgroup can hold. A wider array or a larger buffer than a workgroup's is shrunk, and said.
 */
import { MappingError } from '../errors.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import { searchMappings } from './candidates.ts'
import type { Dataflow } from './dataflow.ts'
import { fanoutOf, type Hardware, type StorageLevel } from './hardware.ts'
import { bufferWords, laneLayout, workgroupWords, type InputExtent } from './lowering/lower.ts'
import { predictIssued } from './lowering/issued.ts'
import { nestOf, type Nest } from './lowering/nest.ts'
import type { Mapping } from './mapping.ts'
import type { Searched } from './mapper.ts'
import { macsOf, type Problem } from './problem.ts'

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

/** Register words a mapping may use in one invocation, above which compilers spill. */
const REGISTER_WORDS = 64

/**
 * @param hardware the GPU's own, or a published accelerator's to be mirrored in tiles
 * @throws MappingError when nothing fits
 */
export function mapForGpu(
  problem: Problem,
  dataflow: Dataflow,
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
  const { hardware: shrunk, notes } = fitWorkgroup(hardware, device)
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

/** The hardware with its array, buffer and registers cut to what one workgroup has, and a grid above them. */
function fitWorkgroup(hardware: Hardware, device: DeviceFacts): { hardware: Hardware; notes: string[] } {
  const notes: string[] = []
  const [dram, buffer, registers] = hardware.levels
  if (dram === undefined || buffer === undefined || registers === undefined || hardware.levels.length !== 3) {
    throw new MappingError(`${hardware.name} has ${hardware.levels.length} levels; a workgroup mirrors three`, {
      remedy: 'Use a hardware of DRAM, a buffer and registers',
    })
  }
  const room = workgroupWords(device)
  const cut = (level: StorageLevel, most: number, what: string): StorageLevel => {
    if (level.words !== undefined && level.words <= most) return level
    if (level.words !== undefined) notes.push(`${level.name} of ${level.words} words shrunk to ${most}: ${what}`)
    return { ...level, words: most }
  }
  const array = fanoutOf(hardware, 1)
  const lanes = device.limits.maxComputeInvocationsPerWorkgroup
  const fits = array.x * array.y <= lanes
  const fitted = fits ? array : { x: Math.min(array.x, 16), y: Math.min(array.y, Math.floor(lanes / Math.min(array.x, 16))) }
  if (!fits) notes.push(`array of ${array.x}×${array.y} shrunk to ${fitted.x}×${fitted.y}: a workgroup has ${lanes} invocations`)
  const limit = device.limits.maxComputeWorkgroupsPerDimension
  const grid = dram.fanout ?? { x: limit, y: limit }
  return {
    notes,
    hardware: {
      ...hardware,
      array: fitted,
      levels: [
        { ...dram, fanout: grid, multicast: false },
        { ...cut(buffer, room, 'workgroup memory'), fanout: fitted },
        cut(registers, REGISTER_WORDS, 'registers of one invocation'),
      ],
    },
  }
}

/** Steps of all lanes, idle ones too, weighted by what a step issues; Infinity where a workgroup cannot hold the nest. */
function scoreOnGpu(nest: Nest, device: DeviceFacts, input: InputExtent, hardware: Hardware): number {
  const lanes = laneLayout(nest, device)
  const words = bufferWords(nest) + lanes.networkWords
  const array = fanoutOf(hardware, 1)
  if (lanes.count > device.limits.maxComputeInvocationsPerWorkgroup || words > (hardware.levels[1]?.words ?? Infinity))
    return Infinity
  if (nest.lanes.reduce((product, loop) => product * loop.bound, 1) > array.x * array.y) return Infinity
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
