/** Cases of relayout: between all layouts, channels in whole quads and not. */
import { relayout } from '../../src/ops/relayout/op.ts'
import { layoutShape, LAYOUTS } from '../../src/ops/layout.ts'
import type { CaseTable } from './case.ts'

const PAIRS = LAYOUTS.flatMap((from) => LAYOUTS.map((to) => ({ from, to })))

export const RELAYOUT: CaseTable = {
  definition: relayout,
  cases: PAIRS.flatMap(({ from, to }) =>
    (
      [
        [2, 8, [5, 7]],
        [2, 5, [3, 4]],
        [1, 13, [4, 8]],
        [1, 8, [9]],
        [2, 6, [1, 1]],
        [1, 12, [2, 3, 5]],
        [3, 1, [4, 5]],
        [0, 4, [2, 2]],
      ] as const
    ).map(([batch, channels, extents]) => ({
      name: `${from} to ${to}, ${batch} × ${channels} over ${extents.join(' × ')}`,
      inputs: [layoutShape(from, batch, channels, extents)],
      attributes: { from, to, channels },
      dtypes: ['f32'] as const,
    })),
  ),
}
