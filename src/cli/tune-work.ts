/** What `tilewright tune MODEL` is asked to tune: a network, the products of the bench's table, or a bare problem. */
import { GEMM, GEMM_CASES, leftOut, type GemmCase } from '../../bench/cases/gemm.ts'
import { casesNamed } from '../../bench/cases/table.ts'
import { OptionError } from '../errors.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import type { Product } from '../ops/gemm/product.ts'
import { bareTask, modelTasks, type ModelTasks, type UntouchedLayer } from '../profile/autotune-model.ts'
import { tunableProduct } from '../profile/tunable-product.ts'
import type { TuneTask } from '../profile/tournament.ts'
import type { Context } from './context.ts'
import { asSparse, openBound, type ModelFlags } from './model.ts'

export interface WorkFlags extends ModelFlags {
  readonly layers?: readonly string[]
  readonly precision: 'f32' | 'f16'
}

/** What there is to do, once the device is known. */
export type Work = (device: DeviceFacts) => ModelTasks

/**
 * @param model a network, `bench`, or a bare problem: `gemm:MxKxN`, `conv:CxHxW,MxRxS`
 * @throws OptionError, ModelFormatError, UnsupportedOpError, ShapeError as opening and compiling the network would
 */
export async function workOf(context: Context, model: string, flags: WorkFlags): Promise<Work> {
  const { layers, precision } = flags
  const bare = bareTask(model)
  if (bare !== undefined) {
    if (layers !== undefined) throw new OptionError('A bare problem has no layers', { remedy: 'Leave --layers out' })
    return () => ({ tasks: [bare], untouched: [] })
  }
  if (model === 'bench') {
    const cases = layers === undefined ? GEMM_CASES : casesNamed(GEMM, layers.join(','))
    return ({ software }) => benchTasks(cases, software)
  }
  const graph = await asSparse(context, await openBound(context, model, flags), flags)
  return (device) => modelTasks(graph, device, { precision, layers })
}

/** Products of the bench's table: floats that the adapter is asked for. */
export function benchTasks(cases: readonly GemmCase[], software: boolean): ModelTasks {
  const tasks: TuneTask[] = []
  const untouched: UntouchedLayer[] = []
  for (const item of cases) {
    const { name, dtype } = item
    const reason = dtype === 'f32' || dtype === 'f16' ? leftOut(item, software) : 'products of integers choose by rule'
    if (reason === undefined && (dtype === 'f32' || dtype === 'f16'))
      tasks.push({ problem: tunableProduct(productOfCase(item, dtype)), layers: [name] })
    else untouched.push({ layer: name, op: 'bench', reason: reason ?? '' })
  }
  return { tasks, untouched }
}

function productOfCase({ batch, m, n, k, transposed }: GemmCase, dtype: 'f32' | 'f16'): Product {
  const leading = batch === 1 ? [] : [batch]
  return {
    op: 'matmul',
    rows: m,
    columns: n,
    depth: k,
    a: { input: 0, type: { dtype, shape: [...leading, m, k] }, line: k, depth: 1 },
    b: {
      input: 1,
      type: { dtype, shape: [...leading, ...(transposed ? [n, k] : [k, n])] },
      ...(transposed ? { line: k, depth: 1 } : { line: 1, depth: n }),
    },
    batch: batch === 1 ? [] : [{ size: batch, a: m * k, b: k * n }],
    epilogue: { alpha: 1, activation: 'none' },
    accumulate: 'f32',
    output: { dtype, shape: [...leading, m, n] },
  }
}
