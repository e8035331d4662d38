/**
 * The sliding window: input rows (columns) that two loops reach together, h = p·U + r·D. Think of a tile as the set of rows that
 * an interval of p and an interval of r span; neighbouring tiles overlap, in time (a halo kept from the step before) and in space
 * (a halo read once for several children).
 *
 * The rows of one pair are counted over all states of its own loops only; loops of other dimensions repeat the same states, so
 * `arrivals.ts` multiplies. A line (`lines.ts`) says which shapes the states of one loop dimension have; here two lines meet. Most
 * shapes are a row of equal intervals, all of which moved by the same distance, and need no sets:
 *
 *     children   [····][····][····]      every child drops its old rows for its new ones; rows that arrive are the
 *     arriving      ··]   ··]   ··]      last |move| of each, and their union is what the parent serves
 */
import { reach } from '../schedule/check.ts'
import { HashTable } from './hash.ts'
import type { Lines } from './lines.ts'
import type { Range } from './loops.ts'
import { tooLarge, type Shape } from './spread.ts'

const MOST_COUNTS = 2 ** 20
/** Rows that sets are made of. */
const MOST_ROWS = 2 ** 22
/** Look-ups to make one of them. */
const MOST_WORK = 2 ** 25

export interface Window {
  /** Rows that one step of the outer loop (p, q) and of the inner loop (r, s) moves. 0: all its steps reach the same row. */
  readonly outer: number
  readonly inner: number
  /** Rows counted, where not all of them are: those that are not zero padding. */
  readonly range?: Range
  /** Count bounding boxes and share only identical ones below one level, as Timeloop does. */
  readonly boxes: boolean
}

/** Sums over the states of two lines. */
export class Windows {
  readonly #window: Window
  readonly #lines: Lines
  readonly #known = new HashTable()
  #marks = new Uint8Array(256)

  constructor(window: Window, lines: Lines) {
    this.#window = window
    this.#lines = lines
  }

  get isFull(): boolean {
    return this.#known.size > MOST_COUNTS
  }

  clear(): void {
    this.#known.clear()
  }

  /**
   * Rows that all children which need them held before the step, of the union over children, summed over the states of two lines
   * (numbers from `Lines`, which leave out how often each occurs). All rows, for lines that did not move.
   * @param resident whether children hold their own rows of the step before, and not only what neighbours forward
   */
  held(outer: number, inner: number, resident: boolean): number {
    if (resident && this.#lines.isPlain[outer] === 1 && this.#lines.isPlain[inner] === 1) {
      const held = this.#heldPlain(outer, inner)
      if (held >= 0) return held
    }
    const key = resident ? inner : -1 - inner
    const at = this.#known.find(outer, key)
    if (at !== -1) return this.#known.valueAt(at)
    const held = this.#heldAny(outer, inner, resident)
    this.#known.add(outer, key, held)
    return held
  }

  /** The closed form, or −1 where there is none: windows with gaps, children that differ in both dimensions. */
  #heldPlain(outer: number, inner: number): number {
    const { tile, across, move } = this.#lines
    const { outer: U, inner: D } = this.#window
    const moved = Math.abs((move[outer] ?? 0) * U + (move[inner] ?? 0) * D)
    return heldPlain(U, D, tile[outer] ?? 1, tile[inner] ?? 1, across[outer] ?? 1, across[inner] ?? 1, moved)
  }

  #heldAny(outer: number, inner: number, resident: boolean): number {
    const { range, outer: U, inner: D } = this.#window
    const a = this.#lines.listAt(outer)
    const b = this.#lines.listAt(inner)
    let held = 0
    for (const first of a) {
      for (const second of b) {
        if (range === undefined) {
          held += first.count * second.count * this.#heldState(first, second, resident, -Infinity, Infinity)
          continue
        }
        let within: number | undefined
        const end = (first.end - 1) * U + (second.end - 1) * D + 1
        for (const p of first.offsets) {
          for (const r of second.offsets) {
            const offset = p * U + r * D
            const isWithin = offset >= range[0] && offset + end <= range[1]
            if (!isWithin) held += this.#heldState(first, second, resident, range[0] - offset, range[1] - offset)
            else held += within ??= this.#heldState(first, second, resident, -Infinity, Infinity)
          }
        }
      }
    }
    return held
  }

  #heldState(a: Shape, b: Shape, resident: boolean, from: number, to: number): number {
    const { outer: U, inner: D, boxes } = this.#window
    if (resident && a.isPlain && b.isPlain && !boxes && from === -Infinity) {
      const held = heldPlain(U, D, a.tile, b.tile, a.children, b.children, Math.abs(a.move * U + b.move * D))
      if (held >= 0) return held
    }
    return boxes ? heldBoxes(this.#window, a, b, from, to) : this.#heldRows(a, b, resident, from, to)
  }

  /** One state: rows [from, to) of the union of the children's, that each child which needs them had. Rows are relative to the state. */
  #heldRows(a: Shape, b: Shape, resident: boolean, from: number, to: number): number {
    const { outer: U, inner: D } = this.#window
    const span = (a.end - 1) * U + (b.end - 1) * D + 1
    if (span > MOST_ROWS) tooLarge('rows', MOST_ROWS)
    if (span > this.#marks.length) this.#marks = new Uint8Array(2 * span)
    /** 1: needed; 2: needed by a child that did not hold it. */
    const marks = this.#marks.fill(0, 0, span)
    let work = 0
    for (let i = 0; i < a.children; i++) {
      const x = i * a.width
      const p = a.isPlain ? i * a.tile : (a.cells[x] ?? 0)
      const ps = a.isPlain ? a.tile : (a.cells[x + 1] ?? 1)
      const pOld = a.isPlain ? p - a.move : (a.cells[x + 2] ?? 0)
      const psOld = a.isPlain ? ps : (a.cells[x + 3] ?? 1)
      for (let j = 0; j < b.children; j++) {
        const y = j * b.width
        const r = b.isPlain ? j * b.tile : (b.cells[y] ?? 0)
        const rs = b.isPlain ? b.tile : (b.cells[y + 1] ?? 1)
        const rOld = b.isPlain ? r - b.move : (b.cells[y + 2] ?? 0)
        const rsOld = b.isPlain ? rs : (b.cells[y + 3] ?? 1)
        // Windows without gaps are one run of rows, others one for each p.
        const isWhole = isInterval(ps, U, rs, D)
        const pitch = isWhole ? 1 : Math.max(1, D)
        const length = isWhole ? (ps - 1) * U + (rs - 1) * D + 1 : D === 0 ? 1 : rs
        const runs = isWhole ? 1 : ps
        work += runs * length * (isWhole ? 1 : Math.min(ps, rs))
        if (work > MOST_WORK) tooLarge('rows', MOST_WORK)
        for (let run = 0; run < runs; run++) {
          const first = (p + run) * U + r * D
          for (let at = first; at < first + length * pitch; at += pitch) {
            if (marks[at] === 2 || at < from || at >= to) continue
            let isHeld = resident && reaches(at, U, D, pOld, psOld, rOld, rsOld)
            for (let near = x + 4; a.hasNear && !isHeld && near < x + 8; near += 2) {
              isHeld = reaches(at, U, D, a.cells[near] ?? 0, a.cells[near + 1] ?? 0, rOld, rsOld)
            }
            for (let near = y + 4; b.hasNear && !isHeld && near < y + 8; near += 2) {
              isHeld = reaches(at, U, D, pOld, psOld, b.cells[near] ?? 0, b.cells[near + 1] ?? 0)
            }
            marks[at] = isHeld ? 1 : 2
          }
        }
      }
    }
    let held = 0
    for (let at = 0; at < span; at++) if (marks[at] === 1) held++
    return held
  }
}

/**
 * Of `ps` × `rs` children, each of `p` × `r` steps and side by side, the rows that all of them held that need them, after each
 * moved by as many rows as `moved`; −1 where sets are needed.
 */
function heldPlain(U: number, D: number, p: number, r: number, ps: number, rs: number, moved: number): number {
  if (moved === 0) return reach(p * ps, U, r * rs, D)
  if (!isInterval(p, U, r, D)) return -1
  if (moved >= (p - 1) * U + (r - 1) * D + 1) return 0
  if (rs === 1) return reach(p * ps, U, r, D) - (ps - 1) * Math.min(p * U, moved) - moved
  if (ps === 1) return reach(p, U, r * rs, D) - (rs - 1) * Math.min(r * D, moved) - moved
  return -1
}

/** Whether a·U + b·D, a < `outer`, b < `inner`, are consecutive numbers. */
function isInterval(outer: number, U: number, inner: number, D: number): boolean {
  if (D === 1) return outer === 1 || inner >= U
  if (U === 1) return inner === 1 || outer >= D
  return outer === 1 && inner === 1
}

/** Whether row = p·U + r·D for some p and r of two intervals. */
function reaches(row: number, U: number, D: number, p: number, pLength: number, r: number, rLength: number): boolean {
  if (pLength === 0 || rLength === 0) return false
  if (isInterval(pLength, U, rLength, D)) {
    return row >= p * U + r * D && row <= (p + pLength - 1) * U + (r + rLength - 1) * D
  }
  return pLength < rLength ? meets(row, D, r, rLength, U, p, pLength) : meets(row, U, p, pLength, D, r, rLength)
}

/** The same, by trying the values of the second interval. */
function meets(row: number, U: number, p: number, pLength: number, D: number, r: number, rLength: number): boolean {
  for (let i = r; i < r + rLength; i++) {
    const rest = row - i * D
    if (U === 0 ? rest === 0 : rest % U === 0 && rest >= p * U && rest < (p + pLength) * U) return true
  }
  return false
}

/** A child of two lines, as a box. */
interface Box {
  /** By level, which part of the fan-out it is in. */
  readonly outer: readonly number[]
  readonly inner: readonly number[]
  readonly start: number
  readonly end: number
  readonly before: number
  readonly beforeEnd: number
}

/** Bounding boxes, of which those that are identical below one level are shared. */
function heldBoxes({ outer: U, inner: D }: Window, a: Shape, b: Shape, low: number, high: number): number {
  const all: Box[] = []
  for (let i = 0; i < a.children; i++) {
    for (let j = 0; j < b.children; j++) {
      const [p = 0, ps = 1, pOld = 0, psOld = 1] = a.cells.slice(i * a.width, i * a.width + 4)
      const [r = 0, rs = 1, rOld = 0, rsOld = 1] = b.cells.slice(j * b.width, j * b.width + 4)
      const start = p * U + r * D
      const before = pOld * U + rOld * D
      all.push({
        outer: a.cells.slice((i + 1) * a.width - a.levels, (i + 1) * a.width),
        inner: b.cells.slice((j + 1) * b.width - b.levels, (j + 1) * b.width),
        start,
        end: start + (ps - 1) * U + (rs - 1) * D + 1,
        before,
        beforeEnd: before + (psOld - 1) * U + (rsOld - 1) * D + 1,
      })
    }
  }
  let held = 0
  for (const { start, end, before, beforeEnd } of distinct(all, 0)) {
    held += Math.max(0, Math.min(end, beforeEnd, high) - Math.max(start, before, low))
  }
  return held
}

/** Of the boxes below one instance of a level, those that differ at that level, and so on inwards. */
function distinct(boxes: readonly Box[], level: number): readonly Box[] {
  if (level === boxes[0]?.outer.length) return boxes.slice(0, 1)
  const groups = new Map<string, Box[]>()
  for (const box of boxes) {
    const key = `${box.outer[level]} ${box.inner[level]}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [box])
    else group.push(box)
  }
  const seen = new Set<string>()
  return [...groups.values()].flatMap((group) => {
    const start = group.reduce((least, box) => Math.min(least, box.start), Infinity)
    const end = group.reduce((most, box) => Math.max(most, box.end), -Infinity)
    const key = `${start} ${end}`
    if (seen.has(key)) return []
    seen.add(key)
    return distinct(group, level + 1)
  })
}
