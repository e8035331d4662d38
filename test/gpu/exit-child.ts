/** What exit.gpu.test.ts runs in a process of its own: opens a GPU, runs a model, and ends as its argument says. */
import { openGpu } from '../../src/gpu/node.ts'
import { graph } from '../../src/graph/builder.ts'
import { compile } from '../../src/graph/model.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { OPS } from '../graph/ops.ts'

const gpu = await openGpu()
const g = graph()
g.output('y', g.node('affine', [g.input('x', 'f32', [3])], { factor: 2 }))
const model = await compile(gpu, g.finish(), { ops: OPS })
const { y } = await model.run({ x: tensor([1, 2, 3]) })
console.log(String(await y?.data()))

const [mode] = process.argv.slice(2)
if (mode === 'dispose') {
  model.dispose()
  gpu.dispose()
}
if (mode === 'pending') void model.run({ x: tensor([1, 2, 3]) })
if (mode === 'throw') throw new Error('on purpose')
