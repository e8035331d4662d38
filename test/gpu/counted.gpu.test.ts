import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DeviceLimitError } from '../../src/errors.ts'
import { countAccesses } from '../../src/gpu/counted.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import type { OpPlan } from '../../src/gpu/program.ts'
import { matmul } from '../../src/ops/matmul/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { tensor, type TensorType } from '../../src/tensor/tensor.ts'

/** Two dispatches: a temp of bytes is filled from x, then y = sums of its words; lanes past the end do nothing. */
function planOf(count: number): OpPlan {
  const program = (body: string) => ({
    body: `@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = workgroup_index(wid, grid) * LANES + lane;
  if (i < params.count) { ${body} }
}`,
    params: { count: 'u32' } as const,
    workgroupSize: [8, 1, 1] as const,
  })
  const cost = { flops: 0, bytes: 0 }
  return {
    reason: 'test',
    temps: [
      { dtype: 'i8', shape: [count], zeroed: true },
      { dtype: 'u32', shape: [1], zeroed: true },
    ],
    dispatches: [
      {
        program: {
          ...program('store_t(i, i32(load_x(i)) + load_t(i)); atomicAdd(&n_0[0], 1u);'),
          name: 'test/first',
          operands: [
            { name: 'x', dtype: 'f32', access: 'read' },
            { name: 't', dtype: 'i8', access: 'read_write' },
            { name: 'n', dtype: 'u32', access: 'atomic' },
          ],
        },
        bind: [
          { kind: 'input', index: 0 },
          { kind: 'temp', index: 0 },
          { kind: 'temp', index: 1 },
        ],
        params: { count },
        groups: Math.ceil(count / 8),
        cost,
      },
      {
        program: {
          ...program('store_y(i, vec4<f32>(f32(load_t(i) & 255u))); store_y(i, vec4<f32>());'),
          name: 'test/second',
          operands: [
            { name: 't', dtype: 'i8', access: 'read', width: 4 },
            { name: 'y', dtype: 'f16', access: 'write', width: 4 },
          ],
        },
        bind: [
          { kind: 'temp', index: 0 },
          { kind: 'output', index: 0 },
        ],
        params: { count: count / 4 },
        groups: Math.ceil(count / 32),
        cost,
      },
    ],
  }
}

describe('countAccesses', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('counts elements of each operand, dispatch by dispatch', async () => {
    using x = gpu.upload(tensor(new Float32Array(100)))
    const before = gpu.memory.liveBytes
    expect(await countAccesses(gpu, planOf(100), [x], [{ dtype: 'f16', shape: [100] }])).toEqual([
      { x: { loads: 100, stores: 0 }, t: { loads: 100, stores: 100 } },
      { t: { loads: 100, stores: 0 }, y: { loads: 0, stores: 200 } },
    ])
    expect(gpu.memory.liveBytes).toBe(before)
  })

  it('of a matrix product: every element of the result is stored once, both matrices are read at least once', async () => {
    const [rows, depth, columns] = [37, 53, 41]
    using a = gpu.upload(tensor(new Float32Array(rows * depth), [rows, depth]))
    using b = gpu.upload(tensor(new Float32Array(depth * columns), [depth, columns]))
    const context = { inputs: [a, b], values: [], attributes: parseAttributes(matmul, {}) }
    const outputs: TensorType[] = matmul.infer(context)
    const plan = matmul.plan({ ...context, outputs, device: gpu.facts })
    const counts = await countAccesses(gpu, plan, [a, b], outputs)
    expect(counts.length).toBe(plan.dispatches.length)
    const last = counts.at(-1)
    expect(last?.y?.stores).toBe(rows * columns)
    expect(counts[0]?.a?.loads).toBeGreaterThanOrEqual(rows * depth)
    expect(counts[0]?.b?.loads).toBeGreaterThanOrEqual(depth * columns)
  })

  it('says when one binding more is too many', async () => {
    using small = await openGpu({ limits: { maxStorageBuffersPerShaderStage: 3 } })
    using x = small.upload(tensor(new Float32Array(100)))
    const run = countAccesses(small, planOf(100), [x], [{ dtype: 'f16', shape: [100] }])
    await expect(run).rejects.toThrow(DeviceLimitError)
    await expect(run).rejects.toThrow(/needs 4 storage bindings/)
  })
})
