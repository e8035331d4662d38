/**
 * The six dataflows as ISCA 2016 defines them (sections IV and VI-A), as constraints for the mapper. They differ from `DATAFLOWS`
 * in what may be spread over the array: the paper numbers 256 PEs and groups them as a layer needs, images of the batch among
 * them, where `DATAFLOWS` gives the two axes of a workgroup one dimension each. What stays in a PE, and what runs while it stays,
 * is the same.
 *
 * The mapper is freer than the paper's models: an operand may pass by the buffer or be kept there as is cheaper, and loops run in
 * any order that leaves the stationary operand in place.
 */
import { parseDataflow, type Dataflow } from '../../schedule/dataflow.ts'
import type { Compared } from './equal-area.ts'

const ALL = ['weights', 'inputs', 'outputs']

const CONSTRAINTS: Readonly<Record<Compared, object>> = {
  ws: {
    title: 'weight stationary: planes of R × S weights of several filters and channels',
    spatial: { x: ['R', 'S', 'C', 'M'], y: [] },
    keep: { buffer: ['inputs', 'outputs'], registers: ['weights'] },
    optional: { buffer: ALL },
    innermost: ['C', 'R', 'S', 'N', 'P', 'Q'],
    order: [
      ['C', 'R', 'S'],
      ['N', 'P', 'Q'],
    ],
    registers: [],
  },
  'os-a': {
    title: 'output stationary: a tile of one output plane, inputs pass between neighbours',
    // A PE may hold the inputs of one row of the filter, which its neighbour above needs for the row before.
    spatial: { x: ['P', 'N'], y: ['Q', 'N'] },
    keep: { buffer: ['weights', 'inputs'], registers: ['outputs'] },
    optional: { buffer: ALL, registers: ['inputs'] },
    innermost: ['C', 'R', 'S'],
    order: [['C', 'R', 'S']],
    registers: ['S'],
    forward: ['inputs'],
  },
  'os-b': {
    title: 'output stationary: pixels of a row, of several output channels',
    spatial: { x: ['Q', 'N', 'M'], y: [] },
    keep: { buffer: ['weights', 'inputs'], registers: ['outputs'] },
    optional: { buffer: ALL },
    innermost: ['C', 'R', 'S'],
    order: [['C', 'R', 'S']],
    registers: [],
  },
  'os-c': {
    title: 'output stationary: one pixel of many output channels',
    spatial: { x: ['M'], y: [] },
    keep: { buffer: ['weights', 'inputs'], registers: ['outputs'] },
    optional: { buffer: ALL },
    innermost: ['C', 'R', 'S'],
    order: [['C', 'R', 'S']],
    registers: [],
  },
  nlr: {
    title: 'no local reuse: channels summed over groups of PEs, filters within a group',
    spatial: { x: ['C', 'M'], y: [] },
    keep: { buffer: ALL, registers: [] },
    innermost: ['N', 'P', 'Q', 'C', 'R', 'S'],
    order: [],
    registers: [],
  },
  rs: {
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
}

/** The constraint of a dataflow. */
export function constraintOf(dataflow: Compared): Dataflow {
  return parseDataflow({ name: `${dataflow}-isca16`, ...CONSTRAINTS[dataflow] })
}
