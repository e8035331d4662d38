/** A product as a graph of one node: `a` comes in, and `b` too where it is an activation; `c` goes out. */
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { BLOCK, type GemmCase } from '../cases/gemm.ts'
import { operandB, packedB } from './operands.ts'

export const DTYPE = { f32: 'f32', f16: 'f16', int4: 'f32', int8: 'i8' } as const

/** Shapes of A, B and C as the graph has them: two dimensions, or three for a batch. */
export function shapesOf({ batch, m, n, k, transposed }: GemmCase): { a: number[]; b: number[]; c: number[] } {
  const lead = batch === 1 ? [] : [batch]
  return { a: [...lead, m, k], b: [...lead, ...(transposed ? [n, k] : [k, n])], c: [...lead, m, n] }
}

/**
 * 4-bit weights have accuracy level 4, as exported language models carry it: the kernels may make integers of the activations.
 */
export function gemmGraph(item: GemmCase): Graph {
  const { dtype, n, k, transposed, weights } = item
  const shapes = shapesOf(item)
  const g = graph(item.name)
  const a = g.input('a', DTYPE[dtype], shapes.a)
  const name = 'product'
  if (dtype === 'int4') {
    const { codes, scales } = packedB(item)
    const packed = g.constant(tensor(codes, [n, k / BLOCK, BLOCK / 2]), 'b')
    const factors = g.constant(tensor(scales, [n, k / BLOCK]), 'scales')
    g.output('c', g.node('matmulNBits', [a, packed, factors], { name, bits: 4, blockSize: BLOCK, accuracyLevel: 4 }))
    return g.finish()
  }
  const b = weights ? g.constant(tensor(operandB(item), shapes.b, DTYPE[dtype]), 'b') : g.input('b', DTYPE[dtype], shapes.b)
  if (dtype === 'int8') g.output('c', g.node('matmulInteger', [a, b], { name }))
  else if (transposed) g.output('c', g.node('gemm', [a, b], { name, transB: true }))
  else g.output('c', g.node('matmul', [a, b], { name }))
  return g.finish()
}
