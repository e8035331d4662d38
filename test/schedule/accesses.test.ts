/** The definition of an access, on logs written by hand: no device, no `evaluate`. */
import { describe, expect, test } from 'vitest'
import { DeviceLimitError, MappingError, VerificationError } from '../../src/errors.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import { accessesOf } from '../../src/schedule/lowering/accesses.ts'
import { nestOf } from '../../src/schedule/lowering/nest.ts'
import { dyed, issuedOf, KIND, plainOf, readTrace, traceWords, type Trace } from '../../src/schedule/lowering/trace.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { convProblem, type Operand } from '../../src/schedule/problem.ts'

const HARDWARE: Hardware = {
  name: 'workgroup',
  array: { x: 2, y: 1 },
  levels: [
    { name: 'DRAM', energy: 1, multicast: false },
    { name: 'GLB', words: 64, energy: 1 },
    { name: 'RF', words: 8, energy: 1 },
  ],
  network: { energy: 1 },
  mac: { energy: 1 },
}
/** Two filters side by side, two columns one after the other, a 1×1 window. */
const PROBLEM = convProblem({ M: 2, Q: 2 })
const mappingOf = (registers: readonly Operand[]): Mapping => ({
  levels: [
    { name: 'DRAM', temporal: [] },
    { name: 'GLB', temporal: [['Q', 2]], spatial: { x: [['M', 2]] }, keep: [] },
    { name: 'RF', temporal: [], keep: registers },
  ],
})

type Line = readonly [kind: number, lane: number, step: number, address: number, value: number, other?: number]

function traceOf(mapping: Mapping, lines: readonly Line[]): Trace {
  const words = new Uint32Array(traceWords(lines.length))
  const floats = new Float32Array(words.buffer)
  words[0] = lines.length
  for (const [k, [kind, lane, step, address, value, other = 0]] of lines.entries()) {
    words.set([kind, 0, lane, step, address], 2 + 7 * k)
    floats.set([value, other], 2 + 7 * k + 5)
  }
  return readTrace(words, nestOf(PROBLEM, mapping))
}

/** One MAC: filter = lane, column = step; `isLoaded` where the weight is loaded for it. The second column is padding. */
function step(lane: number, q: number, isLoaded: boolean): Line[] {
  const [w, x] = [lane + 1, q === 0 ? 1 : -2]
  return [
    ...(isLoaded ? [[KIND.dramLoad.weights, lane, q, lane, w] as const] : []),
    x > 0 ? [KIND.dramLoad.inputs, lane, q, 0, x] : [KIND.padding, lane, q, 1, x],
    [KIND.mac, lane, q, 2 * lane + q, w, x],
    [KIND.dramStore.outputs, lane, q, 2 * lane + q, plainOf(w) * plainOf(x)],
  ]
}
const lines = (kept: boolean): Line[] => [0, 1].flatMap((q) => [0, 1].flatMap((lane) => step(lane, q, !kept || q === 0)))

describe('a log by hand', () => {
  test('nothing kept: a word serves both lanes in a step, and is read again in the next', () => {
    const mapping = mappingOf([])
    const trace = traceOf(mapping, lines(false))
    const traced = accessesOf(trace, mapping, HARDWARE)
    expect(traced.macs).toBe(4)
    expect(traced.accesses).toEqual({
      DRAM: {
        weights: { reads: 4, fills: 0, updates: 0 },
        inputs: { reads: 2, fills: 0, updates: 0 },
        outputs: { reads: 0, fills: 0, updates: 4 },
      },
      GLB: none(),
      RF: none(),
    })
    expect(traced.padding).toEqual({ DRAM: 1, GLB: 0, RF: 0 })
    expect(traced.accounts).toContainEqual({
      space: 'storage',
      operand: 'inputs',
      kind: 'loads',
      issued: 2,
      accesses: 1,
      copies: 1,
      again: 0,
      unused: 0,
      drained: 0,
    })
    expect(issuedOf(trace).storage).toEqual({
      weights: { loads: 4, stores: 0 },
      inputs: { loads: 2, stores: 0 },
      outputs: { loads: 0, stores: 4 },
    })
  })

  test('weights in registers: filled once, read at each MAC', () => {
    const mapping = mappingOf(['weights'])
    const traced = accessesOf(traceOf(mapping, lines(true)), mapping, HARDWARE)
    expect(traced.accesses.DRAM?.weights.reads).toBe(2)
    expect(traced.accesses.RF?.weights).toEqual({ reads: 4, fills: 2, updates: 0 })
    // Loaded in each step all the same: still two fills, and two loads of words that were held.
    const again = accessesOf(traceOf(mapping, lines(false)), mapping, HARDWARE)
    expect(again.accesses).toEqual(traced.accesses)
    expect(again.accounts.find(({ operand }) => operand === 'weights')).toMatchObject({ issued: 4, accesses: 2, again: 2 })
  })

  test('what is not borne out is an error', () => {
    const mapping = mappingOf([])
    expect(() => accessesOf(traceOf(mapping, lines(true)), mapping, HARDWARE)).toThrow(VerificationError)
    const wrong = lines(false).map((line): Line => (line[0] === KIND.dramStore.outputs ? [4, line[1], line[2], line[3], 99] : line))
    expect(() => accessesOf(traceOf(mapping, wrong), mapping, HARDWARE)).toThrow(/not that of the products/)
    const alone = { ...HARDWARE, levels: HARDWARE.levels.map((level) => ({ ...level, multicast: false })) }
    expect(() => accessesOf(traceOf(mapping, lines(false)), mapping, alone)).toThrow(MappingError)
  })
})

test('names and the numbers behind them', () => {
  expect([...dyed([2, 2]).values]).toEqual([1, 2, 3, 4])
  expect(() => dyed([2 ** 24])).toThrow(/cannot be told apart/)
  const numbers = Array.from({ length: 2000 }, (_, k) => plainOf(k + 1))
  expect([Math.min(...numbers), Math.max(...numbers), plainOf(-3), plainOf(0)]).toEqual([-6, 6, 0, 0])
  expect(new Set(numbers).size).toBe(13)
})

test('a log that ran over names its size', () => {
  const words = new Uint32Array(traceWords(2))
  words[0] = 3
  expect(() => readTrace(words, nestOf(PROBLEM, mappingOf([])))).toThrow(DeviceLimitError)
  expect(() => readTrace(words, nestOf(PROBLEM, mappingOf([])))).toThrow(/made 3 trace records.*room for 2.*Give it 3 records/)
})

function none(): Record<Operand, { reads: number; fills: number; updates: number }> {
  const zero = { reads: 0, fills: 0, updates: 0 }
  return { weights: zero, inputs: zero, outputs: zero }
}
