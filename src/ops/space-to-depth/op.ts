/** SpaceToDepth: blocks of b × b pixels become channels; pixel (i, j) of a block of channel c goes to channel (i·b + j)·C + c. Any dtype. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { requireInput, requireRank } from '../checks.ts'
import { blockViewOp } from '../movement/blocks.ts'

export const spaceToDepth = blockViewOp({
  name: 'spaceToDepth',
  attributes: z.strictObject({ blocksize: z.number().int().positive() }),
  shapeOf({ inputs, attributes: { blocksize: b } }) {
    const x = requireInput('spaceToDepth', inputs, 0, 'input')
    requireRank('spaceToDepth', 'input', x, 4, 4)
    const [batch = 0, channels = 0, height = 0, width = 0] = x.shape
    if (height % b !== 0 || width % b !== 0) {
      throw new ShapeError(`${height} × ${width} pixels do not divide into blocks of ${b} × ${b}`, {
        op: 'spaceToDepth',
        shape: x.shape,
      })
    }
    return [batch, channels * b * b, height / b, width / b]
  },
  nestOf([, channels = 0, height = 0, width = 0], [, , outHeight = 0, outWidth = 0], { blocksize: b }) {
    return {
      extents: [b, b, channels, outHeight, outWidth],
      strides: [width, 1, height * width, b * width, b],
      batch: channels * height * width,
    }
  },
  sourceOf([, channels = 0], _, { blocksize: b }) {
    return ([n = 0, c = 0, row = 0, column = 0], at) => {
      const block = Math.floor(c / channels)
      at[0] = n
      at[1] = c % channels
      at[2] = row * b + Math.floor(block / b)
      at[3] = column * b + (block % b)
    }
  },
})
