import { describe, expect, it } from 'vitest'
import { DeviceValidationError } from '../../src/errors.ts'
import { assemble } from '../../src/gpu/assemble.ts'
import { deviceByteSize, segmentBytes, segmentCount, type ProgramSource } from '../../src/gpu/program.ts'

const PROGRAM: ProgramSource = {
  name: 'test/all',
  body: '// the body',
  operands: [
    { name: 'x', dtype: 'f32', access: 'read' },
    { name: 'y', dtype: 'i8', access: 'write' },
  ],
  params: { count: 'u32', offset: 'i32', factor: 'f32' },
  constants: { TILE: 8, BIAS: '0.5f' },
  workgroupSize: [8, 4, 2],
}

describe('assemble', () => {
  it('writes params, bindings, accessors, constants and the body', () => {
    const { code, bindings } = assemble(PROGRAM, [1, 1], 2 ** 27)
    expect(code).toMatchInlineSnapshot(`
      "struct Params {
        first_group: u32,
        groups: u32,
        count: u32,
        offset: i32,
        factor: f32,
      }
      @group(0) @binding(0) var<uniform> params: Params;
      @group(0) @binding(1) var<storage, read> x_0: array<f32>;
      alias x_t = f32;
      fn load_x(index: u32) -> f32 {
        return x_0[index];
      }
      @group(0) @binding(2) var<storage, read_write> y_0: array<atomic<u32>>;
      alias y_t = i32;
      fn store_y(index: u32, value: i32) {
        let shift = 8u * (index & 3u);
        let byte = (u32(value) & 255u) << shift;
        atomicAnd(&y_0[index >> 2u], ~(255u << shift)); atomicOr(&y_0[index >> 2u], byte);
      }
      const WORKGROUP_X = 8u;
      const WORKGROUP_Y = 4u;
      const WORKGROUP_Z = 2u;
      const LANES = 64u;
      const TILE = 8u;
      const BIAS = 0.5f;
      /// The linear index of this workgroup over all launches of the dispatch; return at once when it is >= params.groups.
      fn workgroup_index(id: vec3<u32>, grid: vec3<u32>) -> u32 {
        return params.first_group + id.x + grid.x * (id.y + grid.y * id.z);
      }
      // the body"
    `)
    expect(bindings).toEqual([
      { operand: 0, segment: 0, readOnly: true },
      { operand: 1, segment: 0, readOnly: false },
    ])
  })

  it('finds the segment of an index, each with its own mask', () => {
    const operands = [{ name: 'h', dtype: 'f16', access: 'read_write' }] as const
    const { code, bindings } = assemble({ ...PROGRAM, operands, requires: ['subgroups'] }, [3], 1024)
    expect(code.split('\n').filter((line) => line.includes('h_') || line.startsWith('enable'))).toMatchInlineSnapshot(`
      [
        "enable f16;",
        "enable subgroups;",
        "@group(0) @binding(1) var<storage, read_write> h_0: array<f16>;",
        "@group(0) @binding(2) var<storage, read_write> h_1: array<f16>;",
        "@group(0) @binding(3) var<storage, read_write> h_2: array<f16>;",
        "alias h_t = f32;",
        "  if ((index >> 9u) == 0u) { return f32(h_0[index & 511u]); }",
        "  if ((index >> 9u) == 1u) { return f32(h_1[index & 511u]); }",
        "  return f32(h_2[index & 511u]);",
        "  if ((index >> 9u) == 0u) { h_0[index & 511u] = f16(value); return; }",
        "  if ((index >> 9u) == 1u) { h_1[index & 511u] = f16(value); return; }",
        "  h_2[index & 511u] = f16(value);",
      ]
    `)
    expect(bindings.map(({ segment }) => segment)).toEqual([0, 1, 2])
  })

  it('gives an atomic operand no accessor, and no second segment', () => {
    const operands = [{ name: 'counts', dtype: 'u32', access: 'atomic' }] as const
    const { code } = assemble({ ...PROGRAM, operands }, [1], 1024)
    expect(code).toContain('var<storage, read_write> counts_0: array<atomic<u32>>;')
    expect(code).not.toContain('load_counts')
    expect(() => assemble({ ...PROGRAM, operands }, [2], 1024)).toThrow(DeviceValidationError)
    expect(() => assemble({ ...PROGRAM, operands: [{ ...operands[0], dtype: 'f32' }] }, [1], 1024)).toThrow(/must be u32/)
  })
})

describe('segments', () => {
  it('are the largest power of two that one binding and one buffer take', () => {
    expect(segmentBytes({ maxStorageBufferBindingSize: 2 ** 27, maxBufferSize: 2 ** 32 - 1 })).toBe(2 ** 27)
    expect(segmentBytes({ maxStorageBufferBindingSize: 2 ** 31 - 4, maxBufferSize: 2 ** 32 })).toBe(2 ** 30)
    expect(segmentBytes({ maxStorageBufferBindingSize: 2 ** 32, maxBufferSize: 2 ** 28 })).toBe(2 ** 28)
  })

  it('are counted in device bytes: fc6 of AlexNet takes two of 128 MiB', () => {
    expect(segmentCount({ dtype: 'f32', shape: [4096, 9216] }, 2 ** 27)).toBe(2)
    expect(segmentCount({ dtype: 'f16', shape: [4096, 9216] }, 2 ** 27)).toBe(1)
    expect(segmentCount({ dtype: 'u8', shape: [1024] }, 1024)).toBe(1)
    expect(segmentCount({ dtype: 'u8', shape: [1025] }, 1024)).toBe(2)
    expect(segmentCount({ dtype: 'i64', shape: [129] }, 1024)).toBe(2)
    expect(segmentCount({ dtype: 'f32', shape: [0, 5] }, 1024)).toBe(1)
    expect(segmentCount({ dtype: 'f32', shape: [] }, 1024)).toBe(1)
    expect(deviceByteSize('bool')).toBe(4)
  })
})
