/** Run-length codes of activations as the sparse bench times them: made and read on the device, held against the host's bit for bit. */
import { PAIRS, runLengthEncode, runLengthPairs } from '../../src/cost/compression.ts'
import { graph } from '../../src/graph/builder.ts'
import { halfBits, isFloat16Array } from '../../src/tensor/half.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { DENSITIES, type RunLengthCase } from '../cases/sparse.ts'
import { ruleFor } from '../engines/sample.ts'
import type { ResultError } from '../protocol.ts'
import type { Work } from '../work.ts'
import { sparseValues } from './operands.ts'
import type { Contender, SparseWork } from './work.ts'

/** Bytes of a word of the code. */
const CODE_BYTES = 8

/** Coding activations, and decoding them: the code is the one that the host makes, bit for bit. */
export function runLengthWork({ name, count }: RunLengthCase): SparseWork {
  const both = (density: number): { x: HostTensor; words: HostTensor; counts: HostTensor; used: number } => {
    const x = sparseValues('f16', [count], density)
    const bits = isFloat16Array(x.values) ? halfBits(x.values) : new Uint16Array(0)
    const code = runLengthEncode(bits)
    const words = new Uint32Array(2 * Math.ceil(count / PAIRS))
    words.set(new Uint32Array(code.buffer))
    const counts = Uint32Array.of(code.length, runLengthPairs(bits))
    return { x, words: tensor(words, [words.length / 2, 2]), counts: tensor(counts), used: CODE_BYTES * code.length }
  }
  const contender = (bytes: number, used: number, work: Work): Contender => ({ work, weight_bytes: used, bytes: bytes + used })
  return {
    dense: [],
    challengers: [1, ...DENSITIES].flatMap((density) => [
      {
        label: 'encode',
        density,
        make: () => {
          const { x, words, used } = both(density)
          return contender(x.values.byteLength, used, coding(name, 'runLengthEncode', [x], {}, words))
        },
      },
      {
        label: 'decode',
        density,
        make: () => {
          const { x, words, counts, used } = both(density)
          return contender(x.values.byteLength, used, coding(name, 'runLengthDecode', [words, counts], { shape: [count] }, x))
        },
      },
    ]),
  }
}

/** One op on what is there before it runs, whose first result is exactly `expected`. */
function coding(
  name: string,
  op: string,
  inputs: readonly HostTensor[],
  attributes: Readonly<Record<string, unknown>>,
  expected: HostTensor,
): Work {
  const g = graph(name)
  g.output(
    'y',
    g.node(
      op,
      inputs.map((one, index) => g.constant(one, `x${index}`)),
      { name: 'code', ...attributes },
    ),
  )
  return {
    name,
    graph: g.finish(),
    feeds: {},
    output: 'y',
    ours: 'op',
    firstFromOpening: false,
    resident: true,
    tfjs: 'it is not asked',
    rule: (first_ms) => Promise.resolve(ruleFor(false, first_ms)),
    error: (values) => sameValues(values, expected),
  }
}

/** @throws Error for another number of values */
function sameValues(values: ArrayLike<number>, { values: expected }: HostTensor): ResultError {
  if (values.length !== expected.length) throw new Error(`${values.length} values instead of ${expected.length}`)
  const others = Array.from({ length: values.length }, (_, index) => Number(values[index] !== expected[index])).reduce(
    (a, b) => a + b,
    0,
  )
  return { relative: others / values.length, rows: values.length, of: values.length }
}
