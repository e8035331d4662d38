/**
 * Kernel choice of csrMatmul. Think of it as one question: are there few rows of X, so that lanes share the entries of a line, or many,
 * so that each lane has rows of its own and an entry serves them all?
 *
 * A line is the work of ALONG lanes (`vector`) or of one walk (`dense`): a matrix with one full line among empty ones takes as long as
 * that line does. More lanes a line (`along`) shorten it.
 */
import dense from '../../../shaders/sparse/csr_dense.wgsl?raw'
import vector from '../../../shaders/sparse/csr_vector.wgsl?raw'
import index16 from '../../../shaders/sparse/index_16.wgsl?raw'
import index32 from '../../../shaders/sparse/index_32.wgsl?raw'
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import { dispatchesOf, type Kernel } from '../gemm/dispatch.ts'
import { fittingWorkgroup, powerOfTwo } from '../gemm/kernels/workgroup.ts'
import { copyDispatch } from '../movement/copy.ts'
import type { PlanContext } from '../op.ts'
import { chosenKernel, readOperand, sparseCost } from '../sparse/choose.ts'
import { productOf } from '../sparse/rule.ts'
import { csrSizes, OP, type CsrAttributes } from './rule.ts'

export const CSR_KERNELS = ['vector', 'dense'] as const

/** Rows of X up to which lanes share the entries of a line. */
export const FEW_ROWS = 4

/** @throws OptionError for a forced kernel that there is not */
export function plan(context: PlanContext<CsrAttributes>): OpPlan {
  const { inputs, outputs, attributes, device } = context
  const sizes = csrSizes(inputs, attributes)
  const output = requireInput(OP, outputs, 0, 'Y')
  if (sizeOf(output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const { rows, columns, depth, entries } = sizes
  const kernel = chosenKernel(OP, CSR_KERNELS, attributes.kernel) ?? (rows <= FEW_ROWS ? 'vector' : 'dense')
  const x = requireInput(OP, inputs, 0, 'X')
  const turned: TensorType = { dtype: x.dtype, shape: [depth, rows] }
  // A single row or column lies transposed already.
  const transposes = kernel === 'dense' && rows > 1 && depth > 1
  const extra = [
    readOperand(OP, inputs, 0, 'x', { kind: transposes ? 'temp' : 'input', index: 0 }),
    readOperand(OP, inputs, 1, 'values'),
    readOperand(OP, inputs, 2, 'indices'),
    readOperand(OP, inputs, 3, 'pointers'),
  ]
  const average = entries / Math.max(1, columns)
  const form = kernel === 'vector' ? vectorForm(rows, columns, average, device) : denseForm(rows, columns, device)
  const index = attributes.indexBits === 16 ? index16 : index32
  const product = productOf(OP, inputs, output, sizes, attributes.activation)
  const cost = sparseCost({ macs: rows * entries, inputs, output })
  const dispatches = dispatchesOf(product, {
    ...form.kernel,
    body: `${index}\n${form.kernel.body}`,
    reads: false,
    stores: 'one',
    extra,
  })
  const own = dispatches.map((dispatch) => ({ ...dispatch, cost }))
  if (!transposes) return { reason: form.reason, dispatches: own, temps: [] }
  const nest = {
    extents: turned.shape,
    strides: [
      [1, depth],
      [rows, 1],
    ],
  } as const
  const first = copyDispatch(
    OP,
    nest,
    { type: x, ref: { kind: 'input', index: 0 } },
    { type: turned, ref: { kind: 'temp', index: 0 } },
  )
  return { reason: form.reason, dispatches: [first, ...own], temps: [turned] }
}

interface Form {
  readonly kernel: Kernel
  readonly reason: string
}

/** Lanes of a workgroup: software runs a subgroup at a time, a GPU wants several. */
function lanesOf(device: DeviceFacts, software: number): number {
  return device.software ? software : 128
}

function vectorForm(rows: number, columns: number, average: number, device: DeviceFacts): Form {
  const own = Math.min(FEW_ROWS, powerOfTwo(rows))
  // As many lanes as an average line keeps busy for four steps.
  const [lanes] = fittingWorkgroup([lanesOf(device, 8), 1], (x) => 4 * own * x, device.limits)
  const along = Math.min(lanes, Math.max(device.software ? 8 : 4, powerOfTwo(average / 4)))
  const lines = lanes / along
  const lineTiles = Math.ceil(columns / lines)
  return {
    kernel: {
      name: 'vector',
      body: vector,
      constants: { ROWS: own, ALONG: along, LINES: lines },
      workgroupSize: [lanes, 1, 1],
      workgroupBytes: 4 * own * lanes,
      groups: () => lineTiles * Math.ceil(rows / own),
      params: { line_tiles: lineTiles, tile_rows: own },
    },
    reason: `${rows} rows: ${along} lanes share the entries of a line`,
  }
}

function denseForm(rows: number, columns: number, device: DeviceFacts): Form {
  const [lanes] = fittingWorkgroup([lanesOf(device, 8), 1], () => 0, device.limits)
  const across = Math.min(lanes, device.software ? 8 : 32, powerOfTwo(rows))
  const strips = Math.min(4, powerOfTwo(rows / across))
  const lines = lanes / across
  const lineTiles = Math.ceil(columns / lines)
  return {
    kernel: {
      name: 'dense',
      body: dense,
      constants: { ACROSS: across, STRIPS: strips, LINES: lines },
      workgroupSize: [lanes, 1, 1],
      groups: () => lineTiles * Math.ceil(rows / (across * strips)),
      params: { line_tiles: lineTiles, strips },
    },
    reason: `${rows} rows: lanes over rows of X, an entry serves them all`,
  }
}
