/**
 * The kernel of cscMatmul (shaders/sparse/csc.wgsl): a workgroup is a processing element of the format, for a part of the depth. Work is
 * shared by entries within a column, so one full row among empty ones costs no more than any other entries; one column that is full is
 * shared by the lanes.
 */
import body from '../../../shaders/sparse/csc.wgsl?raw'
import index16 from '../../../shaders/sparse/index_16.wgsl?raw'
import index32 from '../../../shaders/sparse/index_32.wgsl?raw'
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { fittingWorkgroup, powerOfTwo } from '../gemm/kernels/workgroup.ts'
import type { PlanContext } from '../op.ts'
import { chosenKernel, readOperand, sparseCost } from '../sparse/choose.ts'
import { partedPlan, partsFor, windowOf } from '../sparse/parts.ts'
import { productOf } from '../sparse/rule.ts'
import { cscSizes, OP, type CscAttributes, type CscSizes } from './rule.ts'

const CSC_KERNELS = ['columns'] as const

/** Rows of X that a workgroup takes at once, where their sums fit: a column is skipped only where all of them are 0. */
const MOST_ROWS = 4

/** @throws OptionError for a forced kernel that there is not */
export function plan({ inputs, outputs, attributes, device }: PlanContext<CscAttributes>): OpPlan {
  const sizes = cscSizes(inputs, attributes)
  const output = requireInput(OP, outputs, 0, 'Y')
  chosenKernel(OP, CSC_KERNELS, attributes.kernel)
  if (sizeOf(output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const { rows, columns, depth, entries, elements } = sizes
  const own = Math.ceil(columns / elements)
  const tile = rowsAtOnce(rows, own, device)
  const window = windowOf(own, tile, device)
  const windows = Math.ceil(own / window)
  const tiles = windows * Math.ceil(rows / tile)
  const parts = partsFor(elements * tiles, depth, device)
  const lanes = lanesFor(sizes, device)
  const product = productOf(OP, inputs, output, sizes, attributes.activation)
  return partedPlan(
    product,
    {
      name: 'columns',
      body: `${attributes.indexBits === 16 ? index16 : index32}\n${body}`,
      constants: { ROWS: tile, WINDOW: window },
      workgroupSize: [lanes, 1, 1],
      workgroupBytes: 4 * tile * window,
      groups: () => elements * tiles * parts,
      params: { elements, windows, tile_rows: tile },
      extra: [
        readOperand(OP, inputs, 0, 'x'),
        readOperand(OP, inputs, 1, 'values'),
        readOperand(OP, inputs, 2, 'indices'),
        readOperand(OP, inputs, 3, 'pointers'),
      ],
    },
    parts,
    sparseCost({ macs: rows * entries, inputs, output }),
    `columns whose activations are 0 are skipped: ${elements} elements${windows > 1 ? `, each read ${windows} times` : ''}`,
  )
}

function rowsAtOnce(rows: number, own: number, device: DeviceFacts): number {
  let tile = Math.min(MOST_ROWS, powerOfTwo(rows))
  while (tile > 1 && windowOf(own, tile, device) < own) tile /= 2
  return tile
}

/** As many lanes as an average column of an element keeps busy twice. */
function lanesFor({ entries, elements, depth }: CscSizes, device: DeviceFacts): number {
  const average = entries / Math.max(1, elements * depth)
  const wanted = device.software ? 8 : Math.min(256, Math.max(32, powerOfTwo(average / 2)))
  return fittingWorkgroup([wanted, 1], () => 0, device.limits)[0]
}
