/** 2:4 layers in safetensors files: round trips of every dtype, and everything that is refused, by tensor, row and group. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FileFormatError } from '../../src/errors.ts'
import { decodeSafetensors, encodeSafetensors } from '../../src/formats/safetensors.ts'
import { loadTwoOfFour, saveTwoOfFour } from '../../src/formats/two-of-four.ts'
import { packTwoOfFour, quantiseTwoOfFour, unpackTwoOfFour, type TwoOfFour } from '../../src/sparsity/two-of-four.ts'
import { HostTensor, tensor } from '../../src/tensor/tensor.ts'

/** A matrix that holds the pattern: in group g of line l, positions by their sum; lines of a share alike. */
function pruned(lines: number, depth: number, dtype: 'f32' | 'f16' | 'i8', share = 1): HostTensor {
  const values = Array.from({ length: lines * depth }, (_, at) => {
    const [line, k] = [Math.floor(at / depth), at % depth]
    const turn = (Math.floor(line / share) + Math.floor(k / 4)) % 3
    const kept = [0, turn + 1].includes(k % 4)
    return kept ? ((at * 37) % 200) - 100 : 0
  })
  return tensor(values, [lines, depth], dtype)
}

/** What a packed matrix holds, as plain values. */
function plain({ values, positions, scales, ...rest }: TwoOfFour) {
  const list = (one: HostTensor | undefined) =>
    one === undefined ? undefined : [one.dtype, one.shape, [...one.values].map(Number)]
  return { ...rest, values: list(values), positions: list(positions), scales: list(scales) }
}

function reloaded(packed: TwoOfFour, name = 'w'): TwoOfFour | undefined {
  return loadTwoOfFour(saveTwoOfFour(new Map([[name, packed]]))).get(name)
}

describe('a file of 2:4 layers', () => {
  it('holds many, of every dtype, and gives them back value for value', () => {
    const f32 = packTwoOfFour(pruned(5, 37, 'f32'))
    const layers = new Map([
      ['features.0.weight', f32],
      ['f16', packTwoOfFour(pruned(3, 64, 'f16'))],
      ['i8', packTwoOfFour(pruned(2, 4, 'i8'))],
      ['shared', packTwoOfFour(pruned(10, 33, 'f32', 4), { share: 4 })],
      ['quantised', quantiseTwoOfFour(f32, { bits: 8 })],
      ['nibbles', quantiseTwoOfFour(f32, { bits: 4, block: 32 })],
      ['values.positions', packTwoOfFour(pruned(1, 1, 'f32'))],
      ['__proto__', packTwoOfFour(pruned(1, 8, 'f32'))],
    ])
    const file = saveTwoOfFour(layers)
    const found = loadTwoOfFour(file)
    expect([...found.keys()]).toEqual([...layers.keys()])
    for (const [name, packed] of layers) {
      const back = found.get(name)
      expect(back === undefined ? undefined : plain(back), name).toEqual(plain(packed))
    }
    // What the bytes are: values, a word of positions for 32 of depth, and a header.
    expect([...decodeSafetensors(file).tensors.keys()]).toContain('features.0.weight.positions')
  })

  it('holds any matrix, empty ones too', () => {
    fc.assert(
      fc.property(
        fc.nat(7),
        fc.nat(70),
        fc.constantFrom('f32' as const, 'f16' as const, 'i8' as const),
        fc.constantFrom(1, 4, 8),
        (lines, depth, dtype, share) => {
          const matrix = pruned(lines, depth, dtype, share)
          const back = reloaded(packTwoOfFour(matrix, { share }))
          if (back === undefined) throw new Error('the layer is gone')
          expect(unpackTwoOfFour(back)).toEqual(matrix)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('keeps NaN, infinities and halves beyond 65504 as they are', () => {
    const values = [NaN, 0, 0, Infinity, 0, -Infinity, 65504, 0]
    for (const dtype of ['f32', 'f16'] as const) {
      const back = reloaded(packTwoOfFour(tensor(values, [1, 8], dtype)))
      expect(back === undefined ? [] : [...unpackTwoOfFour(back).values]).toEqual(values)
    }
  })
})

describe('hostile files', () => {
  const packed = packTwoOfFour(pruned(6, 38, 'f32'))
  const { tensors, metadata } = decodeSafetensors(saveTwoOfFour(new Map([['w', packed]])))
  const nibbled = quantiseTwoOfFour(packed, { bits: 4, block: 32 })
  const four = decodeSafetensors(saveTwoOfFour(new Map([['w', nibbled]])))

  /** The file with tensors or metadata replaced; null removes one. */
  function file(
    changes: Readonly<Record<string, HostTensor | null>>,
    header: Readonly<Record<string, string>> = {},
    base = { tensors, metadata },
  ): Uint8Array {
    const all = new Map(base.tensors)
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) all.delete(name)
      else all.set(name, value)
    }
    return encodeSafetensors(all, { ...base.metadata, ...header })
  }

  const layer = { name: 'w', lines: 6, depth: 38, bits: 32, share: 1 }
  const layers = (...more: unknown[]) => ({ layers: JSON.stringify(more) })
  /** Positions with one nibble of one row replaced. */
  function positions(row: number, group: number, nibble: number): Record<string, HostTensor> {
    const words = Uint32Array.from(packed.positions.values)
    const at = row * 2 + Math.floor(group / 8)
    const shift = 4 * (group % 8)
    words[at] = ((words[at] ?? 0) & ~(15 << shift)) | (nibble << shift)
    return { 'w.positions': tensor(words, [6, 2]) }
  }
  function values(row: number, slot: number): Record<string, HostTensor> {
    const all = Float32Array.from(packed.values.values)
    all[row * 32 + slot] = 1
    return { 'w.values': tensor(all, [6, 32]) }
  }
  const whole = (from: Float32Array, at: number, to: number): Float32Array =>
    from.map((value, index) => (index === at ? to : value))
  const scales = nibbled.scales?.values ?? new Float32Array(0)

  it.each<[string, Uint8Array, RegExp]>([
    ['another format', file({}, { format: 'pt' }), /format is pt\b.*tilewright\.two-of-four\/1/],
    ['a later version', file({}, { format: 'tilewright.two-of-four/2' }), /format is tilewright\.two-of-four\/2/],
    ['no metadata', encodeSafetensors(tensors), /format is not said/],
    ['layers that are no JSON', file({}, { layers: '[{' }), /layers are no JSON/],
    ['a layer without a depth', file({}, layers({ ...layer, depth: undefined })), /layers are damaged.*depth/s],
    ['a layer of 3 bits', file({}, layers({ ...layer, bits: 3 })), /layers are damaged.*bits/s],
    ['a share of 3', file({}, layers({ ...layer, share: 3 })), /share is 1 or a multiple of 4/],
    ['an extent that is no integer', file({}, layers({ ...layer, lines: 1.5 })), /damaged/],
    ['a key that nobody knows', file({}, layers({ ...layer, zeroPoint: 1 })), /zeroPoint/],
    ['two layers of one name', file({}, layers(layer, layer)), /same name.*layer w/],
    ['a tensor of no layer', file({ bias: tensor([1]) }), /belongs to no layer.*tensor bias/],
    ['scales of no block', file({ 'w.scales': tensor([1]) }), /belongs to no layer.*tensor w\.scales/],
    ['a layer without positions', file({ 'w.positions': null }), /missing.*tensor w\.positions/],
    ['values of another dtype', file({}, layers({ ...layer, bits: 16 })), /should be f16 \[6, 32\].*tensor w\.values; dtype f32/],
    ['values of another shape', file({}, layers({ ...layer, lines: 7 })), /should be f32 \[7, 32\].*shape \[6, 32\]/],
    ['a depth of more words', file({}, layers({ ...layer, depth: 65 })), /should be f32 \[6, 48\]/],
    ['positions of another shape', file({}, layers({ ...layer, share: 4 })), /should be u32 \[2, 2\].*tensor w\.positions/],
    ['positions in falling order', file(positions(4, 3, 0b0010)), /2 and 0 .*rising order.*tensor w\.positions; row 4; group 3/],
    ['a position twice', file(positions(5, 8, 0b0101)), /1 and 1 .*rising order.*row 5; group 8/],
    ['padding at other positions', file(positions(2, 10, 0b1110)), /Padding has other positions.*row 2; group 10/],
    ['padding with values', file(values(3, 21)), /Padding is not zero.*tensor w\.values; row 3; group 10/],
    ['a value beyond the depth', file({ ...positions(0, 9, 0b1000), ...values(0, 19) }), /Padding is not zero.*row 0; group 9/],
    ['scales of whole values', file({ 'w.scales': tensor([1]) }, layers({ ...layer, block: 64 })), /should be f32 \[6, 1\]/],
    [
      'a block that is no multiple of 32',
      file({ 'w.scales': tensor(new Float32Array(12), [6, 2]) }, layers({ ...layer, bits: 4, block: 20 }), four),
      /block of 20 is no multiple of 32/,
    ],
    [
      'a scale that is no number',
      file({ 'w.scales': tensor(whole(scales, 7, NaN), [6, 2]) }, {}, four),
      /A scale is NaN.*tensor w\.scales; row 3; block 1/,
    ],
    [
      'padding in nibbles',
      file(
        {
          'w.values': tensor(
            Uint8Array.from(nibbled.values.values, (byte, at) => (at === 16 + 12 ? 0x10 : byte)),
            [6, 16],
          ),
        },
        {},
        four,
      ),
      /Padding is not zero.*row 1; group 12/,
    ],
  ])('%s is refused', (_, bytes, message) => {
    expect(() => loadTwoOfFour(bytes)).toThrow(FileFormatError)
    expect(() => loadTwoOfFour(bytes)).toThrow(message)
  })

  // Lines without depth take no bytes, however many the header says.
  it.each([2 ** 30, 2 ** 52])('%i lines without depth are read at once', (lines) => {
    const values = new HostTensor('f32', [lines, 0], new Float32Array())
    const positions = new HostTensor('u32', [lines, 0], new Uint32Array())
    const before = process.cpuUsage()
    const back = reloaded({ lines, depth: 0, bits: 32, share: 1, values, positions })
    const { user } = process.cpuUsage(before)
    expect(back).toMatchObject({ lines, depth: 0 })
    expect(user).toBeLessThan(0.3e6)
  })

  it('is not written either', () => {
    const wrong = { ...packed, positions: new HostTensor('u32', [6, 2], new Uint32Array(12)) }
    expect(() => saveTwoOfFour(new Map([['w', wrong]]))).toThrow(/0 and 0 .*rising order.*tensor w\.positions; row 0; group 0/)
  })

  it('cut or changed anywhere, ends in a named error or in weights that hold the pattern', () => {
    const bytes = saveTwoOfFour(new Map([['w', nibbled]]))
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
        const damaged = cut ? bytes.slice(0, at) : bytes.map((one, index) => (index === at ? byte : one))
        let layers: Map<string, TwoOfFour>
        try {
          layers = loadTwoOfFour(damaged)
        } catch (error) {
          expect((error as Error).name).toMatch(/^(FileFormat|Dtype)Error$/)
          return
        }
        for (const each of layers.values()) expect(() => packTwoOfFour(unpackTwoOfFour(each))).not.toThrow()
      }),
      { numRuns: 300 },
    )
  })
})
