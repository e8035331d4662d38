/** What `tilewright tune MODEL` is asked to tune: the products of a network, of the bench's table, or a bare one. */
import { GEMM, GEMM_CASES, leftOut, type GemmCase } from '../../bench/cases/gemm.ts'
import { casesNamed } from '../../bench/cases/table.ts'
import { OptionError } from '../errors.ts'
import type { Product } from '../ops/gemm/product.ts'
import { bareProduct, modelTasks, type ModelTasks, type UntouchedLayer } from '../profile/autotune-model.ts'
import type { TuneTask } from '../profile/tournament.ts'
import type { Context } from './context.ts'
import { openBound, type ModelFlags } from './model.ts'

export interface WorkFlags extends ModelFlags {
  readonly layers?: readonly string[]
  readonly precision: 'f32' | 'f16'
}

/** What there is to do, once the adapter is known. */
export type Work = (software: boolean) => ModelTasks

/**
 * @param model a network, `bench`, or `gemm:MxKxN`
 * @throws OptionError, ModelFormatError, UnsupportedOpError, ShapeError as opening and compiling the network would
 */
export async function workOf(context: Context, model: string, flags: WorkFlags): Promise<Work> {
  const { layers, precision } = flags
  const bare = bareProduct(model)
  if (bare !== undefined) {
    if (layers !== undefined) throw new OptionError('A bare product has no layers', { remedy: 'Leave --layers out' })
    return () => ({ tasks: [bare], untouched: [] })
  }
  if (model === 'bench') {
    const cases = layers === undefined ? GEMM_CASES : casesNamed(GEMM, layers.join(','))
    return (software) => benchTasks(cases, software)
  }
  const work = modelTasks(await openBound(context, model, flags), precision, layers)
  return () => work
}

/** Products of the bench's table: floats that the adapter is asked for. */
export function benchTasks(cases: readonly GemmCase[], software: boolean): ModelTasks {
  const tasks: TuneTask[] = []
  const untouched: UntouchedLayer[] = []
  for (const item of cases) {
    const { name, dtype } = item
    const reason = dtype === 'f32' || dtype === 'f16' ? leftOut(item, software) : 'products of integers choose by rule'
    if (reason === undefined && (dtype === 'f32' || dtype === 'f16'))
      tasks.push({ product: productOfCase(item, dtype), layers: [name] })
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
