/** What ops say of attributes and shapes that they do not take. */
import { expect, it } from 'vitest'
import { OptionError, ShapeError } from '../../src/errors.ts'
import { conv2d } from '../../src/ops/conv2d/op.ts'
import { convInteger } from '../../src/ops/conv-integer/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { FACTS, inferred } from './facts.ts'

it.each(['relu6', 'foo', { name: 'clamp' }, 6])('activation %o: lists what there is', (activation) => {
  const parse = (): unknown => parseAttributes(conv2d, { activation })
  expect(parse).toThrow(OptionError)
  expect(parse).toThrow(
    /activation: give one of none, relu, .*hardSwish, or \{ name: 'clip', min, max \} \(relu6 .*leakyRelu.*hardSigmoid/,
  )
})

it.each([
  ['nchw', '[N, C, D, H, W]'],
  ['nhwc', '[N, D, H, W, C]'],
  ['nchw4', '[N, C/4, D, H, W, 4]'],
])('ranks that do not fit name all forms of %s', (layout, form) => {
  const infer = (): unknown =>
    inferred(
      conv2d,
      [
        [1, 4, 8, 8, 4],
        [4, 4],
      ],
      { layout },
    )
  expect(infer).toThrow(ShapeError)
  expect(infer).toThrow(form)
})

it.each([
  [1, 2, 8, 8],
  [0, 2, 8, 8],
])('convolutions of bytes say which algorithms they have (%i pictures)', (...x) => {
  const attributes = parseAttributes(convInteger, { algorithm: 'winograd' })
  const inputs = [
    { dtype: 'u8', shape: x },
    { dtype: 'i8', shape: [4, 2, 3, 3] },
  ] as const
  const context = { inputs, values: [], attributes }
  const plan = (): unknown => convInteger.plan({ ...context, outputs: convInteger.infer(context), device: FACTS })
  expect(plan).toThrow(OptionError)
  expect(plan).toThrow(/no algorithm winograd.*direct, .*tiled-packed/)
})
