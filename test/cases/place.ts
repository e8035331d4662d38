/** Cases of place: parts of larger feature maps, in every layout. */
import { place } from '../../src/ops/place/op.ts'
import type { CaseTable } from './case.ts'

export const PLACE: CaseTable = {
  definition: place,
  cases: [
    { name: 'nchw', inputs: [[2, 3, 5, 7]], attributes: { channels: 9, first: 4 } },
    { name: 'nhwc, quads', inputs: [[2, 5, 7, 8]], attributes: { layout: 'nhwc', channels: 20, first: 12 } },
    { name: 'nhwc, 1-D', inputs: [[2, 11, 3]], attributes: { layout: 'nhwc', channels: 4, first: 0 } },
    { name: 'nchw4, last', inputs: [[2, 2, 3, 5, 4]], attributes: { layout: 'nchw4', channels: 12, first: 4 } },
    { name: 'empty', inputs: [[0, 3, 5, 7]], attributes: { channels: 9, first: 4 } },
  ],
}
