/**
 * DepthToSpace: blocks of channels become blocks of b × b pixels. Channel of block row i, block column j and result channel c is
 * (i·b + j)·C' + c in mode DCR (depth, column, row), c·b² + i·b + j in mode CRD. Any dtype.
 */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { requireInput, requireRank } from '../checks.ts'
import { blockViewOp } from '../movement/blocks.ts'

export const depthToSpace = blockViewOp({
  name: 'depthToSpace',
  attributes: z.strictObject({ blocksize: z.number().int().positive(), mode: z.enum(['DCR', 'CRD']).default('DCR') }),
  shapeOf({ inputs, attributes: { blocksize: b } }) {
    const x = requireInput('depthToSpace', inputs, 0, 'input')
    requireRank('depthToSpace', 'input', x, 4, 4)
    const [batch = 0, channels = 0, height = 0, width = 0] = x.shape
    if (channels % (b * b) !== 0) {
      throw new ShapeError(`${channels} channels do not divide into blocks of ${b} × ${b}`, { op: 'depthToSpace', shape: x.shape })
    }
    return [batch, channels / (b * b), height * b, width * b]
  },
  nestOf([, channels = 0, height = 0, width = 0], [, outChannels = 0], { blocksize: b, mode }) {
    const plane = height * width
    const [channel, block] = mode === 'DCR' ? [plane, outChannels * plane] : [b * b * plane, plane]
    return {
      extents: [outChannels, height, b, width, b],
      strides: [channel, width, b * block, 1, block],
      batch: channels * plane,
    }
  },
  sourceOf(_, [, outChannels = 0], { blocksize: b, mode }) {
    return ([n = 0, c = 0, row = 0, column = 0], at) => {
      const block = (row % b) * b + (column % b)
      at[0] = n
      at[1] = mode === 'DCR' ? block * outChannels + c : c * b * b + block
      at[2] = Math.floor(row / b)
      at[3] = Math.floor(column / b)
    }
  },
})
