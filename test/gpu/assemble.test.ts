import { describe, expect, it } from 'vitest'
import { DeviceValidationError } from '../../src/errors.ts'
import { assemble } from '../../src/gpu/assemble.ts'
import { deviceByteSize, segmentBytes, segmentCount, type ProgramSource } from '../../src/gpu/program.ts'

const FACTS = { halvesRound: true }
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
    const { code, bindings } = assemble(PROGRAM, [1, 1], 2 ** 27, FACTS)
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
    const { code, bindings } = assemble({ ...PROGRAM, operands, requires: ['subgroups'] }, [3], 1024, FACTS)
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
    const { code } = assemble({ ...PROGRAM, operands }, [1], 1024, FACTS)
    expect(code).toContain('var<storage, read_write> counts_0: array<atomic<u32>>;')
    expect(code).not.toContain('load_counts')
    expect(() => assemble({ ...PROGRAM, operands }, [2], 1024, FACTS)).toThrow(DeviceValidationError)
    expect(() => assemble({ ...PROGRAM, operands: [{ ...operands[0], dtype: 'f32' }] }, [1], 1024, FACTS)).toThrow(/must be u32/)
  })
})

describe('accessors', () => {
  const linesOf = (operands: ProgramSource['operands'], more: Partial<ProgramSource> = {}, segments: readonly number[] = []) =>
    assemble({ ...PROGRAM, ...more, operands }, segments, 1024, FACTS).code.split('\n')

  it('of width 16 move four words of bytes', () => {
    const operands = [{ name: 'b', dtype: 'u8', access: 'read', width: 16 }] as const
    expect(linesOf(operands, {}, [2]).filter((line) => /b_(t|\d)/.test(line))).toEqual([
      '@group(0) @binding(1) var<storage, read> b_0: array<vec4<u32>>;',
      '@group(0) @binding(2) var<storage, read> b_1: array<vec4<u32>>;',
      'alias b_t = vec4<u32>;',
      '  if ((index >> 6u) == 0u) { return b_0[index & 63u]; }',
      '  return b_1[index & 63u];',
    ])
  })

  it('of width 4 move vectors, words of four bytes, and mask indices of vectors', () => {
    const operands = [
      { name: 'f', dtype: 'f32', access: 'read', width: 4 },
      { name: 'h', dtype: 'f16', access: 'write', width: 4 },
      { name: 'b', dtype: 'u8', access: 'write', width: 4 },
    ] as const
    expect(linesOf(operands, {}, [2, 1, 2]).filter((line) => /[fhb]_(t|\d)/.test(line))).toMatchInlineSnapshot(`
      [
        "@group(0) @binding(1) var<storage, read> f_0: array<vec4<f32>>;",
        "@group(0) @binding(2) var<storage, read> f_1: array<vec4<f32>>;",
        "alias f_t = vec4<f32>;",
        "  if ((index >> 6u) == 0u) { return f_0[index & 63u]; }",
        "  return f_1[index & 63u];",
        "@group(0) @binding(3) var<storage, read_write> h_0: array<vec4<f16>>;",
        "alias h_t = vec4<f32>;",
        "  h_0[index] = vec4<f16>(value);",
        "@group(0) @binding(4) var<storage, read_write> b_0: array<u32>;",
        "@group(0) @binding(5) var<storage, read_write> b_1: array<u32>;",
        "alias b_t = u32;",
        "  if ((index >> 8u) == 0u) { b_0[index & 255u] = value; return; }",
        "  b_1[index & 255u] = value;",
      ]
    `)
  })

  it('of raw operands pass the storage type', () => {
    const operands = [
      { name: 'h', dtype: 'f16', access: 'read_write', raw: true },
      { name: 'v', dtype: 'f16', access: 'read', raw: true, width: 4 },
      { name: 'b', dtype: 'i8', access: 'read', raw: true, width: 4 },
    ] as const
    expect(linesOf(operands).filter((line) => /[hvb]_(t|\d)/.test(line))).toMatchInlineSnapshot(`
      [
        "@group(0) @binding(1) var<storage, read_write> h_0: array<f16>;",
        "alias h_t = f16;",
        "  return h_0[index];",
        "  h_0[index] = value;",
        "@group(0) @binding(2) var<storage, read> v_0: array<vec4<f16>>;",
        "alias v_t = vec4<f16>;",
        "  return v_0[index];",
        "@group(0) @binding(3) var<storage, read> b_0: array<u32>;",
        "alias b_t = u32;",
        "  return b_0[index];",
      ]
    `)
  })

  it('find a byte in its word, by atomics where bytes are written', () => {
    const operands = [
      { name: 'u', dtype: 'u8', access: 'read' },
      { name: 'i', dtype: 'i8', access: 'read_write' },
    ] as const
    expect(linesOf(operands, {}, [2, 1]).filter((line) => /[ui]_(t|\d)|  let/.test(line))).toMatchInlineSnapshot(`
      [
        "@group(0) @binding(1) var<storage, read> u_0: array<u32>;",
        "@group(0) @binding(2) var<storage, read> u_1: array<u32>;",
        "alias u_t = u32;",
        "  if ((index >> 10u) == 0u) { return extractBits(u_0[(index & 1023u) >> 2u], 8u * (index & 3u), 8u); }",
        "  return extractBits(u_1[(index & 1023u) >> 2u], 8u * (index & 3u), 8u);",
        "@group(0) @binding(3) var<storage, read_write> i_0: array<atomic<u32>>;",
        "alias i_t = i32;",
        "  return extractBits(i32(atomicLoad(&i_0[index >> 2u])), 8u * (index & 3u), 8u);",
        "  let shift = 8u * (index & 3u);",
        "  let byte = (u32(value) & 255u) << shift;",
        "  atomicAnd(&i_0[index >> 2u], ~(255u << shift)); atomicOr(&i_0[index >> 2u], byte);",
      ]
    `)
  })

  it('count what they move in counted programs', () => {
    const operands = [
      { name: 'x', dtype: 'f32', access: 'read', width: 4 },
      { name: 'n', dtype: 'u32', access: 'atomic' },
      { name: 'y', dtype: 'u8', access: 'read_write' },
    ] as const
    const lines = linesOf(operands, { counted: true }, [2])
    expect(lines.filter((line) => line.includes('access_counts'))).toEqual([
      '  atomicAdd(&access_counts_0[0u], 4u);',
      '  atomicAdd(&access_counts_0[4u], 1u);',
      '  atomicAdd(&access_counts_0[5u], 1u);',
      '@group(0) @binding(5) var<storage, read_write> access_counts_0: array<atomic<u32>>;',
    ])
    expect(linesOf(operands).join().includes('access_counts')).toBe(false)
  })

  it.each([
    ['i64', { width: 4 }, /i64 is accessed element by element/],
    ['bool', { width: 4 }, /bool is accessed element by element/],
    ['i8', { raw: true }, /raw takes width 4/],
    ['f32', { width: 16 }, /Only bytes are accessed sixteen at a time/],
    ['u32', { access: 'atomic', width: 4 }, /atomic operand has no accessors/],
    ['u32', { access: 'atomic', raw: true }, /atomic operand has no accessors/],
  ] as const)('are refused for %s with %o', (dtype, spec, message) => {
    const run = () => linesOf([{ name: 'x', dtype, access: 'read', ...spec }])
    expect(run).toThrow(DeviceValidationError)
    expect(run).toThrow(message)
  })

  it('round stores of f16 themselves where the device is not known to', () => {
    const lines = (access: 'read' | 'write', width: 1 | 4, halvesRound?: boolean, raw = false) =>
      assemble({ ...PROGRAM, operands: [{ name: 'h', dtype: 'f16', access, width, raw }] }, [1], 1024, {
        ...(halvesRound === undefined ? {} : { halvesRound }),
      }).code
    expect(lines('write', 1, true)).toContain('h_0[index] = f16(value);')
    expect(lines('write', 4, true)).toContain('h_0[index] = vec4<f16>(value);')
    expect(lines('write', 1, false)).toContain('h_0[index] = half_of(value);')
    expect(lines('write', 4)).toContain('h_0[index] = halves_of(value);')
    for (const [access, halvesRound, raw] of [
      ['read', false, false],
      ['write', true, false],
      ['write', false, true],
    ] as const) {
      expect(lines(access, 1, halvesRound, raw)).not.toContain('half_of')
    }
  })

  it('come after the directives, one for each requirement', () => {
    const requires = ['packed_4x8_integer_dot_product', 'chromium-experimental-subgroup-matrix', 'subgroups', 'shader-f16'] as const
    expect(linesOf([], { requires }).slice(0, 5)).toEqual([
      'enable f16;',
      'enable subgroups;',
      'enable chromium_experimental_subgroup_matrix;',
      'requires packed_4x8_integer_dot_product;',
      'struct Params {',
    ])
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
