/**
 * A row of a profile whose layer no dataflow runs (`OwnLoops`: products of quantised operands, transposed convolutions) under its op's
 * default kernel: measured and verified as other rows are, beside what the device's peaks let one expect. Its kernels have no mapping and no
 * counted build, so the row has neither; no dataflow runs it.
 */
import { OptionError } from '../errors.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import { byteSize } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { TensorType } from '../tensor/tensor.ts'
import type { OwnNode } from './layers.ts'
import { verifyAndTime, worse, type Row, type RowContext } from './measure.ts'
import type { PeaksReport } from './report.ts'
import { peakOf, type Work } from './roofline-row.ts'

/** Runs a node with its op's default kernel, on its own operands. */
export async function runOwn(context: RowContext, own: OwnNode): Promise<Row> {
  const { gpu, peaks } = context
  const { definition, attributes, inputs } = own
  const node = { inputs, values: inputs.map(() => null), attributes }
  const [type] = definition.infer(node)
  if (type === undefined) throw new OptionError('The op has no result', { op: definition.name })
  const plan = definition.plan({ ...node, outputs: [type], device: gpu.facts })
  const operations = definition.flops({ ...node, outputs: [type] })
  const factors = (definition.ownLoops?.factors ?? []).map((index) => inputs[index]?.dtype)
  const ofBytes = factors.length > 0 && factors.every((dtype) => dtype === 'i8' || dtype === 'u8')
  const work: Work = {
    ...{ operations, bytes: bytesOf([...inputs, type]), dispatches: plan.dispatches.length },
    ...(ofBytes ? { accumulate: 'i32' } : {}),
  }
  const uploaded: (DeviceTensor | null)[] = []
  try {
    for (const input of inputs) uploaded.push(input === null ? null : gpu.upload(input))
    const { clock, figures, check } = await verifyAndTime(context, plan, {
      inputs: uploaded,
      type,
      operations,
      get reference() {
        return own.reference
      },
    })
    const expected = peaks === undefined ? {} : { expected_ms: expectedMs(work, peaks) }
    return { clock, work, report: { ...figures, ...worse(check), ...expected, notes: [plan.reason] } }
  } finally {
    for (const tensor of uploaded) tensor?.dispose()
  }
}

/** Every operand once. */
function bytesOf(types: readonly (TensorType | null)[]): number {
  return types.reduce((sum, type) => sum + (type === null ? 0 : sizeOf(type.shape) * byteSize(type.dtype)), 0)
}

/** The slower of arithmetic at the peak (of bytes none was measured) and traffic at the bandwidth, and the launches. */
export function expectedMs({ operations, bytes, dispatches, accumulate }: Work, peaks: PeaksReport): number {
  return Math.max(operations / peakOf(peaks, accumulate), bytes / peaks.bytes_per_s) * 1000 + dispatches * peaks.launch_ms
}
