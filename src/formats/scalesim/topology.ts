/**
 * SCALE-Sim's topology files: a layer a row, as a convolution (input and filter sizes, channels, filters, stride) or as a matrix
 * product (M, N, K). Think of it as a packing list: what a row says is taken as SCALE-Sim takes it, its rounding of output sizes
 * (upwards) included.
 */
import { FileFormatError } from '../../errors.ts'
import { convProblem, gemmProblem, macsOf, type Problem } from '../../schedule/problem.ts'

export interface TopologyLayer {
  readonly name: string
  readonly problem: Problem
}

export interface Topology {
  readonly layers: readonly TopologyLayer[]
  /** What was read into the file. */
  readonly notes: readonly string[]
}

/** Characters of a topology, at most. */
export const LARGEST_TOPOLOGY = 1 << 20
const MOST_LAYERS = 10_000
const LARGEST = 2 ** 31 - 1
const CONVOLUTION = ['input height', 'input width', 'filter height', 'filter width', 'channels', 'filters', 'stride'] as const

/** Whether the first rows of a text are those of a topology. */
export function looksLikeTopology(text: string): boolean {
  const [head = '', row = ''] = text.slice(0, 10_000).split(/\r?\n/)
  return /^[^,]*layer[^,]*,/i.test(head) || /^[^,:={}[\]]+(\s*,\s*\d+\s*){3,}/.test(row)
}

/**
 * The layers of a topology file.
 * @throws FileFormatError naming the file and the line of a row that is no layer, and for sparse layers
 */
export function readTopology(file: string, text: string): Topology {
  if (text.length > LARGEST_TOPOLOGY) {
    throw new FileFormatError(`${file} has ${text.length} characters`, { limit: `${LARGEST_TOPOLOGY} characters of topology` })
  }
  const rows = text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .flatMap((line, index) => (/[^\s,]/.test(line) ? [{ line: index + 1, cells: cellsOf(line) }] : []))
  const [head] = rows
  if (head === undefined) throw new FileFormatError(`${file} is empty`)
  if (rows.length > MOST_LAYERS + 1)
    throw new FileFormatError(`${file} has ${rows.length} rows`, { limit: `${MOST_LAYERS} layers` })
  const hasHead = head.cells.slice(1).some((cell) => !/^\d+$/.test(cell))
  const titles = hasHead ? head.cells.map((cell) => cell.toLowerCase()) : []
  const notes = hasHead ? [] : ['the file has no head: SCALE-Sim itself skips its first row']
  const isProduct = hasHead ? titles.slice(1, 4).join(' ') === 'm n k' : head.cells.length < CONVOLUTION.length + 1
  const layers = rows.slice(hasHead ? 1 : 0).map(({ line, cells }): TopologyLayer => {
    const row = new Row(file, line, cells)
    const problem = isProduct ? product(row) : convolution(row, titles, notes)
    if (macsOf(problem) > Number.MAX_SAFE_INTEGER) throw row.refuse('the layer is too large to count exactly')
    return { name: row.name, problem }
  })
  if (layers.length === 0) throw new FileFormatError(`${file} has a head and no layers`)
  return { layers, notes: [...new Set(notes)] }
}

/** Cells without the empty ones at the end: rows end in a comma. */
function cellsOf(line: string): string[] {
  const cells = line.split(',').map((cell) => cell.trim())
  while (cells.at(-1) === '') cells.pop()
  return cells
}

class Row {
  readonly #file: string
  readonly #line: number
  readonly cells: readonly string[]

  constructor(file: string, line: number, cells: readonly string[]) {
    this.#file = file
    this.#line = line
    this.cells = cells
  }

  get name(): string {
    const name = this.cells[0] ?? ''
    if (name === '' || name.length > 200)
      throw this.refuse(name === '' ? 'the layer has no name' : 'the name of the layer is too long')
    return name
  }

  refuse(message: string, remedy?: string): FileFormatError {
    return new FileFormatError(`${this.#file}:${this.#line}: ${message}`, remedy === undefined ? {} : { remedy })
  }

  integer(index: number, what: string): number {
    const text = this.cells[index] ?? ''
    const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN
    if (value >= 1 && value <= LARGEST) return value
    throw this.refuse(`${what} is ${JSON.stringify(text.slice(0, 40))}`, `Expected an integer from 1 to ${LARGEST}`)
  }

  /** `2:4` is sparse, `1:1` and `4:4` are not. */
  checkDense(index: number): void {
    const [, kept, of] = /^(\d+)\s*:\s*(\d+)$/.exec(this.cells[index] ?? '') ?? []
    if (kept !== of)
      throw this.refuse(`the layer is sparse, ${this.cells[index]?.slice(0, 40)}`, 'Counts are of dense operands: write 1:1')
  }
}

/** Name, M, N, K: [M, K] × [K, N]; a fifth column is a batch, or a sparsity that must be none. */
function product(row: Row): Problem {
  if (row.cells.length > 6) throw row.refuse(`a matrix product has ${row.cells.length} columns`, 'Name, M, N, K and a batch')
  const [i, j, k] = [row.integer(1, 'M'), row.integer(2, 'N'), row.integer(3, 'K')]
  let batch = 1
  for (const index of [4, 5]) {
    const cell = row.cells[index] ?? ''
    if (cell.includes(':')) row.checkDense(index)
    else if (cell !== '') batch = row.integer(index, 'the batch')
  }
  return gemmProblem({ i, j, k, batch })
}

function convolution(row: Row, titles: readonly string[], notes: string[]): Problem {
  const [height, width, R, S, C, M, stride] = CONVOLUTION.map((what, index) => row.integer(index + 1, `the ${what}`)) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  // One stride for both, unless the head names two.
  let next: number = CONVOLUTION.length + 1
  let across = stride
  if (/stride/.test(titles[next - 1] ?? '') && /stride/.test(titles[next] ?? '')) across = row.integer(next++, 'the stride across')
  if ((row.cells[next] ?? '').includes(':')) row.checkDense(next++)
  if (row.cells.length > next) throw row.refuse(`there is a column too many: ${JSON.stringify(row.cells[next]?.slice(0, 40))}`)
  if (R > height || S > width) throw row.refuse(`a filter of ${R}×${S} is larger than its input of ${height}×${width}`)
  const [P, Q] = [Math.ceil((height - R + stride) / stride), Math.ceil((width - S + across) / across)]
  // Rounded up, the last window may reach over the edge: that counts as padding.
  const over = [(P - 1) * stride + R - height, (Q - 1) * across + S - width] as const
  if (over[0] > 0 || over[1] > 0)
    notes.push(`${row.name}: SCALE-Sim rounds the output up, so that the last window reaches over the edge`)
  const shape = { P, Q, R, S, stride: [stride, across], padding: [0, 0, over[0], over[1]] } as const
  // SCALE-Sim runs a layer with DP in its name channel by channel.
  if (row.name.includes('DP')) {
    notes.push(`${row.name}: depthwise, as SCALE-Sim takes it from the name`)
    return convProblem({ ...shape, groups: C, M })
  }
  return convProblem({ ...shape, C, M })
}
