/**
 * One chip area, divided anew for each dataflow: think of a fixed plot of land on which every dataflow builds the rooms it needs.
 * 256 PEs and their storage take the same silicon throughout; what a dataflow does not spend on register files becomes buffer,
 * and a byte of a small memory takes more silicon than a byte of a large one.
 *
 * Sources: the setup is ISCA 2016 (Chen, Emer, Sze, "Eyeriss: A Spatial Architecture…"), section VI-B: the area is that of
 * 512 B of register file in each PE and of PEs × 512 B of buffer, and the register file of each dataflow is what section VI-A says
 * that it stores. The area of a byte is the curve of its Fig. 7a, in the figures of the authors' own analysis scripts
 * (repository cnnflow, public copy ominux/eyeriss-dataflow, helpers/get_storage_area_from_size.m; a commercial 65 nm process).
 * What the paper says of the outcome is checked in test/profile/figures.test.ts: buffers differ by up to 2.6×, total storage by
 * up to 80 kB. Energies are those of its Table IV, the same for all dataflows, as its section VI-D says.
 */
import { OptionError } from '../../errors.ts'
import type { Fanout, Hardware } from '../../schedule/hardware.ts'

/** Dataflows of the survey's Figs. 33 and 34. */
export const COMPARED = ['ws', 'os-a', 'os-b', 'os-c', 'nlr', 'rs'] as const
export type Compared = (typeof COMPARED)[number]

export const PES = 256
export const WORD_BYTES = 2
/** The register file that the area is taken from, and the one that row stationary has. */
const BASE_RF_BYTES = 512

/** [bytes of one memory, µm² of each of its bytes]; straight lines between, level outside. */
export const AREA_PER_BYTE: readonly (readonly [bytes: number, area: number])[] = [
  [2, 103.47],
  [4, 172.07],
  [8, 177.07],
  [16, 169.89],
  [32, 96.06],
  [64, 59.15],
  [128, 39.94],
  [256, 27.48],
  [512, 20.87],
  [1024, 16.14],
  [2048, 13.89],
  [4096, 12.7],
]

/** µm² of one memory. 0 bytes take none. @throws OptionError below 0 */
export function memoryArea(bytes: number): number {
  if (!(bytes >= 0)) throw new OptionError(`A memory of ${bytes} bytes has no area`)
  const after = AREA_PER_BYTE.findIndex(([size]) => size >= bytes)
  const [size, area] = AREA_PER_BYTE[after === -1 ? AREA_PER_BYTE.length - 1 : after] ?? [1, 0]
  const [sizeBefore, areaBefore] = AREA_PER_BYTE[after - 1] ?? [size, area]
  const share = size === sizeBefore ? 0 : (bytes - sizeBefore) / (size - sizeBefore)
  return bytes * (areaBefore + share * (area - areaBefore))
}

/** µm² of the storage of every design: 256 register files of 512 B and a buffer of 128 KiB. */
export const TOTAL_AREA = PES * memoryArea(BASE_RF_BYTES) + memoryArea(PES * BASE_RF_BYTES)

/** Bytes of buffer that the area leaves beside register files of `rfBytes` in each PE. @throws OptionError where it leaves none */
export function bufferBytes(rfBytes: number): number {
  const left = TOTAL_AREA - PES * memoryArea(rfBytes)
  const [largest, area] = AREA_PER_BYTE.at(-1) ?? [0, 1]
  const bytes = Math.floor(left / area)
  if (bytes < largest) {
    throw new OptionError(`Register files of ${rfBytes} B leave no buffer in ${Math.round(TOTAL_AREA)} µm²`, {
      remedy: 'Choose smaller ones',
    })
  }
  return bytes
}

interface Room {
  readonly rfBytes: number
  readonly stores: string
  /** How PEs are numbered: a line lets the mapper group them as it likes; a square has two directions to forward along. */
  readonly array: Fanout
}

const LINE: Fanout = { x: PES, y: 1 }

/** What each dataflow keeps in a PE (ISCA 2016, sections IV and VI-A). */
export const ROOMS: Readonly<Record<Compared, Room>> = {
  ws: { rfBytes: WORD_BYTES, stores: 'one weight', array: LINE },
  'os-a': {
    // 1 + U + R·U words, at the largest filter and stride of AlexNet (conv1: R = 11, U = 4).
    rfBytes: (1 + 4 + 11 * 4) * WORD_BYTES,
    stores: 'one partial sum, and inputs on their way to a neighbour',
    array: { x: 16, y: 16 },
  },
  'os-b': { rfBytes: WORD_BYTES, stores: 'one partial sum', array: LINE },
  'os-c': { rfBytes: WORD_BYTES, stores: 'one partial sum', array: LINE },
  nlr: { rfBytes: 0, stores: 'nothing', array: LINE },
  rs: { rfBytes: BASE_RF_BYTES, stores: 'filter rows, a window of inputs, partial sums', array: LINE },
}

/** The design of a dataflow on the common area; energies normalised to one MAC. */
export function equalAreaHardware(dataflow: Compared): Hardware {
  const { rfBytes, array } = ROOMS[dataflow]
  return {
    name: `equal-area-${dataflow}`,
    source:
      'Chen, Emer, Sze, ISCA 2016: 256 PEs, storage on the area of 512 B in each PE and 128 KiB of buffer (section VI-B), energies of Table IV',
    array,
    levels: [
      { name: 'DRAM', energy: 200 },
      { name: 'GLB', words: Math.floor(bufferBytes(rfBytes) / WORD_BYTES), energy: 6 },
      { name: 'RF', words: rfBytes / WORD_BYTES, energy: 1 },
    ],
    network: { energy: 2 },
    mac: { energy: 1 },
    word_bits: 8 * WORD_BYTES,
    energy_unit: 'MAC',
    dataflow,
  }
}
