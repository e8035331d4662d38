/**
 * The six dataflows as ISCA 2016 defines them (sections IV and VI-A), as constraints for the mapper. They differ from `DATAFLOWS`
 * in what may be spread over the array: the paper numbers 256 PEs and groups them as a layer needs, images of the batch among
 * them, where `DATAFLOWS` gives the two axes of a workgroup one dimension each.
 *
 * "Stationary" can be read in two ways, and the outcome depends on it:
 * - `end`: to the end, as the paper words it. A weight that has been fetched "runs through all operations that use it", an output
 *   stays in its PE until its sum is whole. The loops that use the stationary operand then run at one level of the chip alone, the
 *   buffer (`inside`) or DRAM (`outside`, the buffer loops over nothing else then); both are searched.
 * - `buffer`: while a tile of the buffer is worked on. Between tiles the operand may leave and come back, as in `DATAFLOWS`.
 *
 * The mapper is freer than the paper's models: an operand may pass by the buffer or be kept there as is cheaper, tiles may have any
 * size, and loops run in any order that leaves the stationary operand in place.
 */
import { parseDataflow, type Dataflow } from '../../schedule/dataflow.ts'
import type { Dimension } from '../../schedule/problem.ts'
import type { Compared } from './equal-area.ts'

const ALL = ['weights', 'inputs', 'outputs']
const EVERY: readonly Dimension[] = ['G', 'N', 'M', 'C', 'P', 'Q', 'R', 'S']

/** How long a stationary operand stays. */
export const STAYS = ['end', 'buffer'] as const
export type Stay = (typeof STAYS)[number]

/** The loops that run while a stationary operand stays. */
function staying(stay: Stay, loops: readonly Dimension[]): readonly object[] {
  if (stay === 'buffer') return [{ innermost: loops, order: [loops] }]
  const others = EVERY.filter((dimension) => !loops.includes(dimension))
  const inside = { innermost: loops, order: [loops], levels: { DRAM: { temporal: others } } }
  const outside = { innermost: loops, levels: { DRAM: { order: [loops] }, GLB: { temporal: loops } } }
  return [inside, outside]
}

type Constraints = (stay: Stay) => readonly object[]

function outputs(title: string, spatial: object, more: object = {}): Constraints {
  return (stay) =>
    staying(stay, ['C', 'R', 'S']).map((loops) => ({
      title: `output stationary: ${title}`,
      spatial,
      keep: { buffer: ['weights', 'inputs'], registers: ['outputs'] },
      optional: { buffer: ALL },
      registers: [],
      ...loops,
      ...more,
    }))
}

const CONSTRAINTS: Readonly<Record<Compared, Constraints>> = {
  ws: (stay) =>
    staying(stay, ['N', 'P', 'Q']).map((loops) => ({
      title: 'weight stationary: planes of R × S weights of several filters and channels',
      spatial: { x: ['R', 'S', 'C', 'M'], y: [] },
      keep: { buffer: ['inputs', 'outputs'], registers: ['weights'] },
      optional: { buffer: ALL },
      registers: [],
      ...loops,
    })),
  // A PE may hold the inputs of one row of the filter, which its neighbour above needs for the row before.
  'os-a': outputs(
    'a tile of one output plane, inputs pass between neighbours',
    { x: ['P', 'N'], y: ['Q', 'N'] },
    { optional: { buffer: ALL, registers: ['inputs'] }, registers: ['S'], forward: ['inputs'] },
  ),
  'os-b': outputs('pixels of a row, of several output channels', { x: ['Q', 'N', 'M'], y: [] }),
  'os-c': outputs('one pixel of many output channels', { x: ['M'], y: [] }),
  nlr: () => [
    {
      title: 'no local reuse: channels summed over groups of PEs, filters within a group',
      spatial: { x: ['C', 'M'], y: [] },
      keep: { buffer: ALL, registers: [] },
      innermost: [],
      order: [],
      registers: [],
    },
  ],
  rs: () => [
    {
      title: 'row stationary: rows of a filter and of inputs, of several channels and filters, in each PE',
      spatial: { x: ['R', 'P', 'C', 'M'], y: [] },
      keep: { buffer: ['inputs', 'outputs'], registers: ALL },
      optional: { buffer: ALL },
      innermost: ['M', 'C', 'N', 'Q'],
      order: [
        ['M', 'C'],
        ['N', 'P', 'Q'],
      ],
      registers: ['M', 'C', 'S'],
      whole: ['R', 'S'],
    },
  ],
}

/** The constraints of a dataflow; the best mapping under any of them is the dataflow's. */
export function constraintsOf(dataflow: Compared, stay: Stay): readonly Dataflow[] {
  return CONSTRAINTS[dataflow](stay).map((constraint, index) =>
    parseDataflow({ name: `${dataflow}-isca16-${index + 1}`, ...constraint }),
  )
}
