/** Options of a compilation, without a GPU. */
import { expect, it } from 'vitest'
import { OptionError } from '../../src/errors.ts'
import { checkCompileOptions } from '../../src/graph/compile-options.ts'
import { FACTS } from '../ops/facts.ts'

it.each<[object, RegExp]>([
  [{ layuot: 'nhwc' }, /no option layuot\. Options: precision, .*layout/],
  [{ layout: 'bogus' }, /layout: there is no layout bogus\. Layouts: auto, nchw, nhwc, nchw4/],
  [{ precision: 'f64' }, /no precision f64.*f32 or f16/],
  [{ plans: 0 }, /at least one plan/],
])('%o is refused', (given, words) => {
  expect(() => checkCompileOptions(given, FACTS)).toThrow(OptionError)
  expect(() => checkCompileOptions(given, FACTS)).toThrow(words)
})

it('others keep their values, and get defaults', () => {
  expect(checkCompileOptions({ layout: 'nhwc', plans: 2 }, FACTS)).toEqual({ layout: 'nhwc', plans: 2, precision: 'f32' })
})
