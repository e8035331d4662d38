import { describe, expect, it } from 'vitest'
import type { BoundDispatch } from '../../src/gpu/commands.ts'
import { openGpu } from '../../src/gpu/node.ts'
import type { ProgramSource } from '../../src/gpu/program.ts'
import { timeDispatches } from '../../src/gpu/timer.ts'

const SPIN: ProgramSource = {
  name: 'test/spin',
  body: `@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  var x = group;
  for (var i = 0u; i < params.turns; i++) { x = x * 1664525u + 1013904223u; }
  store_y(group, x);
}`,
  operands: [{ name: 'y', dtype: 'u32', access: 'write' }],
  params: { turns: 'u32' },
  workgroupSize: [1, 1, 1],
}

describe.each(['timestamp-query', 'wall'] as const)('timeDispatches by %s', (source) => {
  it('measures, and tells much work from little', async () => {
    using gpu = await openGpu()
    using y = gpu.allocate({ dtype: 'u32', shape: [4] })
    const spin = (turns: number): BoundDispatch => {
      const bind = [{ kind: 'output', index: 0 }] as const
      return { dispatch: { program: SPIN, bind, params: { turns }, groups: 4, cost: { flops: 0, bytes: 0 } }, tensors: [y] }
    }
    const short = await timeDispatches(gpu, [spin(1e4)], { source, samples: 5 })
    const long = await timeDispatches(gpu, [spin(3e5)], { source, samples: 5 })
    const four = await timeDispatches(gpu, [spin(3e5), spin(3e5), spin(3e5), spin(3e5)], { source, samples: 5 })
    expect(short.source).toBe(source)
    expect(short.samples_ms).toHaveLength(5)
    expect(short.quantum_ns).toBeGreaterThanOrEqual(1)
    for (const sample of short.samples_ms) expect(sample * short.repeats * 1e6).toBeGreaterThanOrEqual(99 * short.quantum_ns)
    // Bounds far from 30 and 4: other work may share the machine.
    const least = (list: readonly number[]): number => Math.min(...list)
    expect(least(long.samples_ms)).toBeGreaterThan(3 * least(short.samples_ms))
    expect(least(four.samples_ms)).toBeGreaterThan(1.3 * least(long.samples_ms))
  })
})

it('stops at its signal', async () => {
  using gpu = await openGpu()
  using y = gpu.allocate({ dtype: 'u32', shape: [4] })
  const dispatch = {
    program: SPIN,
    bind: [{ kind: 'output', index: 0 }],
    params: { turns: 1 },
    groups: 4,
    cost: { flops: 0, bytes: 0 },
  } as const
  const reason = new Error('enough')
  await expect(timeDispatches(gpu, [{ dispatch, tensors: [y] }], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})
