/**
 * A row of a profile whose layer is a matrix product under its op's default kernel: which kernel and why, what was expected of it (time,
 * accesses), and what it did. Think of it as the row of a dataflow, where the mapping is the kernel's own and `evaluate` prices it.
 */
import { evaluate } from '../cost/evaluate.ts'
import { OptionError } from '../errors.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import { choose } from '../ops/gemm/choose.ts'
import { bytesOf } from '../ops/gemm/dispatch.ts'
import { estimate, kernelMachine, ratesFor } from '../ops/gemm/estimate.ts'
import { accessesOf, familyNamed, forced } from '../ops/gemm/families.ts'
import type { Config } from '../ops/gemm/family.ts'
import { productOfNode, type ProductNode } from '../ops/gemm/nodes.ts'
import { packedProduct } from '../ops/gemm/packed.ts'
import { flopsOf, normalised, slicesOf, type Product } from '../ops/gemm/product.ts'
import type { Mapping } from '../schedule/mapping.ts'
import { convProblem, gemmProblem, type Problem } from '../schedule/problem.ts'
import { accessDifferences, countedAccesses } from './accesses.ts'
import type { OwnNode } from './layers.ts'
import { verifyAndTime, worse, type Row, type RowContext } from './measure.ts'

/**
 * Runs a node with its op's default kernel, on its own operands and with its own epilogue.
 * @param price whether the row gets an evaluation of the kernel's loop nest; beside rows of another hardware it would compare nothing
 */
export async function runProduct(context: RowContext, own: OwnNode, price: boolean): Promise<Row> {
  const { gpu, phase, peaks } = context
  const { definition, attributes, inputs } = own
  const values = inputs.map(() => null)
  const [type] = definition.infer({ inputs, values, attributes })
  if (type === undefined) throw new OptionError('The op has no result', { op: definition.name })
  const node = productOfNode(definition.name, { inputs, outputs: [type], values }, attributes)
  if (node === undefined) throw new OptionError(`${definition.name} is no matrix product`, { op: definition.name })
  const plan = definition.plan({ inputs, values, attributes, outputs: [type], device: gpu.facts })
  const product = normalised(node.sparsity === undefined ? node.product : packedProduct(node.product))
  const operations = flopsOf(product)

  const uploaded: (DeviceTensor | null)[] = []
  try {
    for (const input of inputs) uploaded.push(input === null ? null : gpu.upload(input))
    const subject = {
      inputs: uploaded,
      type,
      operations,
      get reference() {
        return own.reference
      },
    }
    const measured = await verifyAndTime(context, plan, subject)
    const work = { operations, bytes: bytesOf(product), dispatches: plan.dispatches.length, accumulate: product.accumulate }
    const figures = { ...measured.figures, ...worse(measured.check) }
    // Nothing is loaded, or nothing multiplied: there is no loop nest to speak of.
    if (plan.dispatches.length === 0 || product.depth === 0)
      return { clock: measured.clock, work, report: { ...figures, notes: [plan.reason] } }

    phase('count')
    const config = configOf(node, product, gpu.facts)
    const counted = await countedAccesses(gpu, plan, uploaded, [type])
    const predicted = accessesOf(product, config, gpu.facts)
    const wrong = accessDifferences(predicted, counted)
    const expected = estimate(product, config, gpu.facts, ratesFor(gpu.facts, peaks))
    const { mapping, problem } = nestOf(product, config, gpu.facts)
    return {
      clock: measured.clock,
      work,
      report: {
        ...(price ? { mapping, predicted: evaluate(problem, kernelMachine(gpu.facts), mapping) } : {}),
        counted_equal: wrong.length === 0,
        ...figures,
        kernel: {
          name: config.kernel,
          config: { ...config },
          problem,
          predicted_ms: expected.seconds * 1000,
          predicted_bound: expected.launch > expected.seconds / 2 ? 'launch' : expected.bound,
          accesses: { predicted, counted },
        },
        notes: [plan.reason, ...wrong],
      },
    }
  } finally {
    for (const tensor of uploaded) tensor?.dispose()
  }
}

function configOf({ kernel }: ProductNode, product: Product, device: DeviceFacts): Config {
  return kernel === undefined ? choose(product, device).config : forced(product, kernel, device)
}

/** The kernel's loop nest. Families call the slices of a batch N; where each has a B of its own they are groups. */
function nestOf(product: Product, config: Config, device: DeviceFacts): { mapping: Mapping; problem: Problem } {
  const family = familyNamed(config.kernel, product.op)
  const mapping = family.mappingOf(product, config, device)
  const nest = family.nest?.(product, config) ?? product
  const { rows: P, columns: M, depth: C } = nest
  const batch = slicesOf(nest)
  if (nest.batch.every(({ b }) => b === 0)) return { mapping, problem: convProblem({ N: batch, P, M, C }) }
  const grouped = (loops: Mapping['levels'][number]['temporal']): typeof loops => {
    return loops.map(([dimension, bound]) => [dimension === 'N' ? 'G' : dimension, bound])
  }
  const levels = mapping.levels.map((level) => {
    const { x, y } = level.spatial ?? {}
    const spatial = { ...(x === undefined ? {} : { x: grouped(x) }), ...(y === undefined ? {} : { y: grouped(y) }) }
    return { ...level, temporal: grouped(level.temporal), ...(level.spatial === undefined ? {} : { spatial }) }
  })
  return { mapping: { ...mapping, levels }, problem: gemmProblem({ i: P, j: M, k: C, batch }) }
}
