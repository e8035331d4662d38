/**
 * The kernel of eieMatmul (shaders/sparse/eie.wgsl): a lane is a processing element, a workgroup takes LANES of them for a part of the
 * depth of one row of X. What one element has more to do than the others, all lanes of its subgroup wait for: one full row among empty
 * ones is one lane's work (EIE has the same imbalance, which its queues lessen).
 */
import body from '../../../shaders/sparse/eie.wgsl?raw'
import ownValues from '../../../shaders/sparse/eie_value_own.wgsl?raw'
import sharedValues from '../../../shaders/sparse/eie_value_shared.wgsl?raw'
import zeros from '../../../shaders/sparse/eie_zeros.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { fittingWorkgroup, powerOfTwo } from '../gemm/kernels/workgroup.ts'
import type { PlanContext } from '../op.ts'
import { chosenKernel, readOperand, sparseCost } from '../sparse/choose.ts'
import { partedPlan, partsFor, windowOf } from '../sparse/parts.ts'
import { productOf } from '../sparse/rule.ts'
import { eieSizes, OP, type EieAttributes } from './rule.ts'

const EIE_KERNELS = ['elements'] as const

/** @throws OptionError for a forced kernel that there is not */
export function plan({ inputs, outputs, attributes, device }: PlanContext<EieAttributes>): OpPlan {
  const sizes = eieSizes(inputs, attributes)
  const output = requireInput(OP, outputs, 0, 'Y')
  chosenKernel(OP, EIE_KERNELS, attributes.kernel)
  if (sizeOf(output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const { rows, columns, depth, entries, elements, shared } = sizes
  const own = Math.ceil(columns / elements)
  const wanted = Math.min(device.software ? 8 : 64, powerOfTwo(elements))
  const [lanes] = fittingWorkgroup([wanted, 1], (x) => 4 * x * Math.min(64, powerOfTwo(own)), device.limits)
  const window = windowOf(own, lanes, device)
  const windows = Math.ceil(own / window)
  const elementTiles = Math.ceil(elements / lanes)
  const owners = elementTiles * windows * rows
  const parts = partsFor(owners, depth, device)
  const product = productOf(OP, inputs, output, sizes, attributes.activation)
  return partedPlan(
    product,
    {
      name: 'elements',
      body: [zeros, shared ? sharedValues : ownValues, body].join('\n'),
      constants: { WINDOW: window },
      workgroupSize: [lanes, 1, 1],
      workgroupBytes: 4 * lanes * window,
      groups: () => owners * parts,
      params: { elements, element_tiles: elementTiles, windows },
      extra: [
        readOperand(OP, inputs, 0, 'x'),
        readOperand(OP, inputs, 1, 'values'),
        readOperand(OP, inputs, 2, 'zeros'),
        readOperand(OP, inputs, 3, 'pointers'),
        ...(shared ? [readOperand(OP, inputs, 4, 'codebook')] : []),
      ],
    },
    parts,
    sparseCost({ macs: rows * entries, inputs, output }),
    `${elements} processing elements, a lane each${windows > 1 ? `, which walk their entries ${windows} times` : ''}`,
  )
}
