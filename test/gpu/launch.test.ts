import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DeviceLimitError, DeviceValidationError } from '../../src/errors.ts'
import { adapterKey } from '../../src/gpu/facts.ts'
import { copyDispatch } from '../../src/gpu/fill.ts'
import { checkPlan, estimateSeconds, foldGrid, launchesOf, packParams } from '../../src/gpu/launch.ts'
import { bindingBytes, segmentsOf, sizeClass } from '../../src/gpu/pool.ts'
import type { DeviceFacts, ProgramSource } from '../../src/gpu/program.ts'

const FACTS: DeviceFacts = {
  adapter: 'test',
  features: new Set(),
  language: new Set(),
  limits: {
    maxBufferSize: 2 ** 32,
    maxStorageBufferBindingSize: 2 ** 27,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 16384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupsPerDimension: 65_535,
  },
  software: true,
}

describe('foldGrid', () => {
  it('keeps what fits one dimension', () => {
    expect(foldGrid(1, 65_535)).toEqual([1, 1, 1])
    expect(foldGrid(65_535, 65_535)).toEqual([65_535, 1, 1])
    expect(foldGrid(65_536, 65_535)).toEqual([32_768, 2, 1])
  })

  it('holds every count, wastes little, and keeps to the limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.constantFrom(65_535, 65_534, 2047), (groups, limit) => {
        const [x, y, z] = foldGrid(groups, limit)
        expect(Math.max(x, y, z)).toBeLessThanOrEqual(limit)
        expect(x * y * z).toBeGreaterThanOrEqual(groups)
        expect(x * y * z - groups).toBeLessThan(y * z)
      }),
    )
    expect(() => foldGrid(28, 3)).toThrow(DeviceLimitError)
    expect(foldGrid(27, 3)).toEqual([3, 3, 3])
  })
})

describe('launchesOf', () => {
  it('splits the work of a fast kernel less often', () => {
    const cost = { flops: 2 * 4096 ** 3, bytes: 0 }
    const gpu = { ...FACTS, software: false }
    expect(launchesOf({ groups: 1024, cost }, gpu)).toHaveLength(6)
    expect(launchesOf({ groups: 1024, cost: { ...cost, speed: 10 } }, gpu)).toHaveLength(1)
    expect(estimateSeconds({ flops: 0, bytes: 1e10, speed: 10 }, gpu)).toBe(1)
  })

  it('covers each group once, in launches of at most half a second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.double({ min: 0, max: 1e11, noNaN: true }), (groups, flops) => {
        const launches = launchesOf({ groups, cost: { flops, bytes: 0 } }, FACTS)
        let next = 0
        for (const { first, end, seconds } of launches) {
          expect(first).toBe(next)
          next = end
          // One group cannot be split, and whole groups round up.
          expect(seconds).toBeLessThanOrEqual(0.5 + estimateSeconds({ flops, bytes: 0 }, FACTS) / Math.max(1, groups))
        }
        expect(next).toBe(groups)
      }),
    )
  })

  it('refuses counts that are none', () => {
    const cost = { flops: 0, bytes: 0 }
    expect(() => launchesOf({ groups: 1.5, cost }, FACTS)).toThrow(DeviceValidationError)
    expect(() => launchesOf({ groups: 2 ** 32, cost }, FACTS)).toThrow(DeviceLimitError)
  })
})

describe('packParams', () => {
  const program = { name: 'p', params: { a: 'u32', b: 'i32', c: 'f32' } } as const
  it('lays params out in order after the group range', () => {
    const bytes = packParams(program, { c: 1.5, a: 4e9, b: -2 }, 7, 9)
    const view = new DataView(bytes.buffer)
    expect([0, 4, 8].map((offset) => view.getUint32(offset, true))).toEqual([7, 9, 4e9])
    expect(view.getInt32(12, true)).toBe(-2)
    expect(view.getFloat32(16, true)).toBe(1.5)
  })

  it('refuses missing, unknown and unfitting values', () => {
    expect(() => packParams(program, { a: 1, b: 1 }, 0, 1)).toThrow(/Param c has no value/)
    expect(() => packParams(program, { a: 1, b: 1, c: 1, d: 1 }, 0, 1)).toThrow(/no param d/)
    expect(() => packParams(program, { a: -1, b: 1, c: 1 }, 0, 1)).toThrow(/Param a is -1 .*u32/)
    expect(() => packParams(program, { a: 1, b: 0.5, c: 1 }, 0, 1)).toThrow(DeviceLimitError)
  })
})

describe('checkPlan', () => {
  const type = { dtype: 'f32', shape: [10] } as const
  it('wants refs that are there and of the operand’s dtype', () => {
    const dispatch = copyDispatch(type, type)
    const plan = { reason: 'test', dispatches: [dispatch], temps: [] }
    expect(() => checkPlan(plan, { inputs: [type], outputs: [type] }, FACTS)).not.toThrow()
    expect(() => checkPlan(plan, { inputs: [], outputs: [type] }, FACTS)).toThrow(/input 0, which is not there/)
    expect(() => checkPlan(plan, { inputs: [{ ...type, dtype: 'i32' }], outputs: [type] }, FACTS)).toThrow(
      /Operand x is f32, but input 0 is i32/,
    )
  })

  it('counts bindings over segments', () => {
    const big = { dtype: 'f32', shape: [5, 2 ** 25] } as const
    const plan = { reason: 'test', dispatches: [copyDispatch(big, big)], temps: [] }
    const run = (): void => checkPlan(plan, { inputs: [big], outputs: [big] }, FACTS, { node: 'n', op: 'o' })
    expect(run).toThrow(DeviceLimitError)
    expect(run).toThrow(
      /10 storage bindings \(node n; op o; dtype f32; shape \[5, 33554432\]; limit maxStorageBuffersPerShaderStage 8/,
    )
  })

  it('names a missing feature and a workgroup that is too large', () => {
    const dispatch = copyDispatch(type, type)
    const needy = { ...dispatch, program: { ...dispatch.program, requires: ['subgroups'] as const } }
    const wide = { ...dispatch, program: { ...dispatch.program, workgroupSize: [512, 1, 1] as const } }
    const types = { inputs: [type], outputs: [type] }
    expect(() => checkPlan({ reason: '', dispatches: [needy], temps: [] }, types, FACTS)).toThrow(/feature subgroups is missing/)
    expect(() => checkPlan({ reason: '', dispatches: [wide], temps: [] }, types, FACTS)).toThrow(/512 invocations.*256/)
  })

  it('names a feature of WGSL that is missing, and too much workgroup memory', () => {
    const dispatch = copyDispatch(type, type)
    const types = { inputs: [type], outputs: [type] }
    const run = (more: Partial<ProgramSource>, facts = FACTS) => {
      return () =>
        checkPlan({ reason: '', dispatches: [{ ...dispatch, program: { ...dispatch.program, ...more } }], temps: [] }, types, facts)
    }
    const packed = { requires: ['packed_4x8_integer_dot_product'] } as const
    expect(run(packed)).toThrow(/packed_4x8_integer_dot_product is missing/)
    expect(run(packed, { ...FACTS, language: new Set(packed.requires) })).not.toThrow()
    expect(run({ workgroupBytes: 16384 })).not.toThrow()
    expect(run({ workgroupBytes: 16388 })).toThrow(DeviceLimitError)
    expect(run({ workgroupBytes: 16388 })).toThrow(/16388 bytes.*maxComputeWorkgroupStorageSize 16384\)\. Choose a smaller tile/)
  })

  it('wants memory for the counts of a counted program', () => {
    const dispatch = copyDispatch(type, type)
    const counted = { ...dispatch, program: { ...dispatch.program, counted: true } }
    const types = { inputs: [type], outputs: [type] }
    expect(() => checkPlan({ reason: '', dispatches: [counted], temps: [] }, types, FACTS)).toThrow(/2 tensors for 3 operands/)
  })
})

describe('adapterKey', () => {
  it('is one word of what the adapter says of itself', () => {
    const info = { vendor: 'NVIDIA', architecture: 'ampere', device: '', description: 'GeForce RTX™ 3090 (550.54)' }
    expect(adapterKey(info as GPUAdapterInfo)).toBe('nvidia-ampere-geforce-rtx-3090-550-54')
    expect(adapterKey({ vendor: '', architecture: '', device: '', description: '' } as GPUAdapterInfo)).toBe('unnamed')
  })
})

describe('memory', () => {
  it('has size classes that waste at most a fifth and are classes of themselves', () => {
    fc.assert(
      fc.property(fc.integer({ min: 257, max: 2 ** 32 }), (bytes) => {
        const size = sizeClass(bindingBytes(bytes))
        expect(size).toBeGreaterThanOrEqual(bytes)
        expect(size).toBeLessThanOrEqual(bindingBytes(bytes) * 1.25)
        expect(sizeClass(size)).toBe(size)
        expect(size % 16).toBe(0)
      }),
    )
    expect(sizeClass(1)).toBe(256)
  })

  it('cuts several buffers into whole segments', () => {
    const buffers = [{ size: 600 }, { size: 600 }, { size: 320 }]
    const segments = segmentsOf({ buffers }, 1300, 256)
    expect(segments.map(({ buffer, offset, size }) => [buffers.indexOf(buffer), offset, size])).toEqual([
      [0, 0, 256],
      [0, 256, 256],
      [1, 0, 256],
      [1, 256, 256],
      [2, 0, 256],
      [2, 256, 32],
    ])
    expect(segmentsOf({ buffers }, 300, 256).map(({ size }) => size)).toEqual([256, 48])
  })
})
