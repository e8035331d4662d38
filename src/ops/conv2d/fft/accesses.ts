/**
 * What the kernels of shaders/conv/fft load and store, in closed form: every item of a tile does the same, whatever it finds there.
 */
import type { Accesses } from '../../gemm/family.ts'
import type { Convolution } from '../convolution.ts'
import { readsWide } from './dispatches.ts'
import type { Tiles } from './tiles.ts'

/** Of all dispatches but the product over channels; preparation not included. */
export function transformAccesses(conv: Convolution, tiles: Tiles): Accesses {
  const { size, bins, count, channelPairs, filterPairs, valid, single } = tiles
  // A quad for each row, bin and pair.
  const rows = 4 * count * bins * size * channelPairs
  const kept = 4 * count * bins * valid[0] * filterPairs
  // Of the last two rows of a tile one may lie past the end: the other is then loaded twice.
  const finished = 4 * count * bins * 2 * Math.ceil(valid[0] / 2) * filterPairs
  const columns = 4 * count * bins * size * filterPairs
  // Two rows under two channels: one by one, or a quad of each row.
  const x = { loads: count * (size / 2) * channelPairs * size * (readsWide(conv) ? 8 : 4), stores: 0 }
  const outputs = conv.batch * conv.groups * conv.filters * conv.axes.reduce((product, { output }) => product * output, 1)
  const terms = { loads: outputs, stores: 0 }
  const around = {
    x,
    y: { loads: 0, stores: outputs },
    ...(conv.bias === undefined ? {} : { bias: terms }),
    ...(conv.residual === undefined ? {} : { residual: terms }),
  }
  if (single) {
    return {
      ...around,
      rows: { loads: columns * (conv.filters > 1 ? 2 : 1) + finished, stores: rows },
      spectra: { loads: columns, stores: 0 },
      kept: { loads: 0, stores: kept },
    }
  }
  return {
    ...around,
    rows: { loads: rows + finished, stores: rows + kept },
    spectra: { loads: 0, stores: rows },
    products: { loads: columns, stores: 0 },
  }
}
