/** A few ops of the plainest kind, so that the runtime is tested apart from the real ones. Float, elementwise. */
import { z } from 'zod'
import { ShapeError } from '../../src/errors.ts'
import type { OpPlan, ProgramSource } from '../../src/gpu/program.ts'
import type { OpDefinition } from '../../src/ops/op.ts'
import { allocate } from '../../src/tensor/dtype.ts'
import { formatShape, sameShape, sizeOf } from '../../src/tensor/shape.ts'
import { HostTensor, tensor, type TensorType } from '../../src/tensor/tensor.ts'

const exact = { kind: 'exact' } as const

function elementwise(
  name: string,
  expression: string,
  inputs: readonly TensorType[],
  y: TensorType,
  params: Record<string, number>,
): OpPlan {
  const names = ['a', 'b'].slice(0, inputs.length)
  const program: ProgramSource = {
    name,
    body: `@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let i = group * LANES + lane;
  if (i < params.count) { store_y(i, ${expression}); }
}`,
    operands: [
      ...names.map((operand, index) => ({ name: operand, dtype: inputs[index]!.dtype, access: 'read' as const })),
      { name: 'y', dtype: y.dtype, access: 'write' },
    ],
    params: { count: 'u32', ...Object.fromEntries(Object.keys(params).map((key) => [key, 'f32' as const])) },
    workgroupSize: [64, 1, 1],
  }
  const count = sizeOf(y.shape)
  return {
    reason: 'test',
    temps: [],
    dispatches: [
      {
        program,
        bind: [...names.map((_, index) => ({ kind: 'input' as const, index })), { kind: 'output', index: 0 }],
        params: { count, ...params },
        groups: Math.ceil(count / 64),
        cost: { flops: count, bytes: count * 8 },
      },
    ],
  }
}

function only(inputs: readonly (TensorType | null)[]): TensorType {
  const [first] = inputs
  if (first === undefined || first === null) throw new ShapeError('An input is missing')
  return first
}

/** y = factor · x + offset. */
const affine: OpDefinition<{ factor: number; offset: number }> = {
  name: 'affine',
  attributes: z.object({ factor: z.number().default(1), offset: z.number().default(0) }),
  hostInputs: [],
  infer: ({ inputs }) => [only(inputs)],
  reference: ([x], { factor, offset }) => {
    const out = allocate(x!.dtype, x!.values.length) as Float32Array
    x!.values.forEach((value: number | bigint, i: number) => (out[i] = factor * Number(value) + offset))
    return [{ tensor: new HostTensor(x!.dtype, x!.shape, out), tolerance: exact }]
  },
  plan: ({ inputs, outputs, attributes }) => {
    return elementwise('test/affine', 'params.factor * load_a(i) + params.offset', [only(inputs)], outputs[0]!, { ...attributes })
  },
  flops: () => 0,
}

const add: OpDefinition<object> = {
  name: 'add',
  attributes: z.object({}),
  hostInputs: [],
  infer: ({ inputs: [a, b] }) => {
    if (a === undefined || a === null || b === undefined || b === null) throw new ShapeError('An input is missing')
    if (!sameShape(a.shape, b.shape))
      throw new ShapeError(`${formatShape(a.shape)} and ${formatShape(b.shape)} differ`, { axis: 0 })
    return [a]
  },
  reference: ([a, b]) => {
    const out = allocate(a!.dtype, a!.values.length) as Float32Array
    for (let i = 0; i < out.length; i++) out[i] = Number(a!.values[i]) + Number(b!.values[i])
    return [{ tensor: new HostTensor(a!.dtype, a!.shape, out), tolerance: exact }]
  },
  plan: ({ inputs, outputs }) => elementwise('test/add', 'load_a(i) + load_b(i)', inputs as TensorType[], outputs[0]!, {}),
  flops: () => 0,
}

const identity: OpDefinition<object> = {
  name: 'identity',
  attributes: z.object({}),
  hostInputs: [],
  infer: ({ inputs }) => [only(inputs)],
  reference: ([x]) => [{ tensor: x!, tolerance: exact }],
  plan: () => ({ reason: 'no-op', dispatches: [], temps: [], alias: 0 }),
  flops: () => 0,
}

const reshape: OpDefinition<object> = {
  name: 'reshape',
  attributes: z.object({}),
  hostInputs: [1],
  infer: ({ inputs, values }) => {
    const x = only(inputs)
    const shape = Array.from(values[1]!.values, Number)
    if (sizeOf(shape) !== sizeOf(x.shape)) throw new ShapeError(`${formatShape(x.shape)} cannot become ${formatShape(shape)}`)
    return [{ dtype: x.dtype, shape }]
  },
  reference: ([x, shape]) => [{ tensor: new HostTensor(x!.dtype, Array.from(shape!.values, Number), x!.values), tolerance: exact }],
  plan: () => ({ reason: 'no-op', dispatches: [], temps: [], alias: 0 }),
  flops: () => 0,
}

const shape: OpDefinition<object> = {
  name: 'shape',
  attributes: z.object({}),
  hostInputs: [],
  infer: ({ inputs }) => [{ dtype: 'i64', shape: [only(inputs).shape.length] }],
  reference: ([x]) => [{ tensor: tensor(x!.shape, [x!.shape.length], 'i64'), tolerance: exact }],
  plan: () => {
    throw new Error('shape is folded')
  },
  flops: () => 0,
}

export const OPS: ReadonlyMap<string, OpDefinition> = new Map(
  [affine, add, identity, reshape, shape].map((definition) => [definition.name, definition as OpDefinition]),
)
